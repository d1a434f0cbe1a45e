// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.google;

import com.google.api.client.http.HttpResponseException;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.UnclearOutcomeException;
import java.io.IOException;

/** Says in words what Google Cloud Storage refused, and tells refusals from calls whose outcome is not known. */
final class GoogleFailures {
    private final String where;
    private final String bucket;

    GoogleFailures(String where, String bucket) {
        this.where = where;
        this.bucket = bucket;
    }

    static boolean is(IOException e, int status) {
        return e instanceof HttpResponseException answer && answer.getStatusCode() == status;
    }

    /** The status is the same for a bucket; only the words differ. */
    static boolean isMissingObject(IOException e) {
        return is(e, 404) && !saysBucket((HttpResponseException) e);
    }

    private static boolean saysBucket(HttpResponseException e) {
        return (e.getContent() + e.getMessage()).contains("bucket does not exist");
    }

    StoreException of(String attempt, IOException e) {
        String what = attempt + " in " + where + ": ";
        if (e instanceof HttpResponseException answer) {
            return refusal(what, answer);
        }
        if (e instanceof MachineCredentials.Missing) {
            return new StoreException(
                    what + "no credentials; set GOOGLE_APPLICATION_CREDENTIALS to a key file, or give this machine a"
                            + " service account",
                    e);
        }
        return new UnclearOutcomeException(
                what + "the server cannot be reached (" + e + "); check the endpoint and the network to it", e);
    }

    private StoreException refusal(String what, HttpResponseException e) {
        int status = e.getStatusCode();
        if (status == 404 && saysBucket(e)) {
            return new StoreException(what + "there is no bucket '" + bucket + "'; create it or correct the URL", e);
        }
        return switch (status) {
            case 401, 403 ->
                new StoreException(
                        what + "access denied (" + status
                                + "); check the credentials (GOOGLE_APPLICATION_CREDENTIALS or"
                                + " the service account) and that they may read, create, list and delete objects here",
                        e);
            case 408, 409, 412, 429 -> new UnclearOutcomeException(what + "no clear answer (" + status + ")", e);
            default ->
                status >= 500
                        ? new UnclearOutcomeException(
                                what + "the server fails (" + status + "); check its state and try again", e)
                        : new StoreException(what + "refused (" + status + ")", e);
        };
    }
}
