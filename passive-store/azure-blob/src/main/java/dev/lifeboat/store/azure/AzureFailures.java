// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.azure;

import com.azure.core.exception.ClientAuthenticationException;
import com.azure.storage.blob.models.BlobErrorCode;
import com.azure.storage.blob.models.BlobStorageException;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.UnclearOutcomeException;

/** Says in words what Azure refused, and tells refusals from calls whose outcome is not known. */
final class AzureFailures {
    private final String where;
    private final String container;

    AzureFailures(String where, String container) {
        this.where = where;
        this.container = container;
    }

    /** A put-if-absent came too late: 409 of the service, 412 where a front end checks the condition. */
    static boolean isExisting(BlobStorageException e) {
        return e.getStatusCode() == 412 || BlobErrorCode.BLOB_ALREADY_EXISTS.equals(e.getErrorCode());
    }

    static boolean isMissingBlob(BlobStorageException e) {
        return e.getStatusCode() == 404 && !BlobErrorCode.CONTAINER_NOT_FOUND.equals(e.getErrorCode());
    }

    StoreException of(String attempt, RuntimeException e) {
        String what = attempt + " in " + where + ": ";
        Throwable root = e;
        while (root.getCause() != null) {
            if (root instanceof ClientAuthenticationException) {
                break;
            }
            root = root.getCause();
        }
        if (e instanceof BlobStorageException answer) {
            return refusal(what, answer);
        }
        if (root instanceof ClientAuthenticationException) {
            return new StoreException(
                    what + "no credentials; set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or give this machine a"
                            + " managed identity",
                    e);
        }
        return new UnclearOutcomeException(
                what + "the server cannot be reached (" + root + "); check the endpoint and the network to it", e);
    }

    private StoreException refusal(String what, BlobStorageException e) {
        String answer = e.getStatusCode() + " " + e.getErrorCode();
        if (BlobErrorCode.CONTAINER_NOT_FOUND.equals(e.getErrorCode())) {
            return new StoreException(
                    what + "there is no container '" + container + "'; create it or correct the URL", e);
        }
        return switch (e.getStatusCode()) {
            case 401, 403 ->
                new StoreException(
                        what + "access denied (" + answer + "); check the credentials (AZURE_STORAGE_KEY,"
                                + " AZURE_STORAGE_SAS_TOKEN or the managed identity) and that they may read, write, list and"
                                + " delete blobs here",
                        e);
            case 408, 409, 412, 429 -> new UnclearOutcomeException(what + "no clear answer (" + answer + ")", e);
            default ->
                e.getStatusCode() >= 500
                        ? new UnclearOutcomeException(
                                what + "the server fails (" + answer + "); check its state and try again", e)
                        : new StoreException(what + "refused (" + answer + ")", e);
        };
    }
}
