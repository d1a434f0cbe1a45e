// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.google;

import com.google.api.client.http.HttpRequest;
import com.google.api.client.http.HttpRequestInitializer;
import com.google.auth.http.HttpCredentialsAdapter;
import com.google.auth.oauth2.GoogleCredentials;
import java.io.IOException;

/**
 * Google's application default credentials, looked for when the first request needs them: without a key file that asks the
 * metadata server. Thread-safe.
 */
final class MachineCredentials implements HttpRequestInitializer {
    private static final String SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";

    private HttpCredentialsAdapter found;

    /** This machine has none. */
    static final class Missing extends IOException {
        private static final long serialVersionUID = 1L;

        Missing(IOException cause) {
            super(cause);
        }
    }

    @Override
    public void initialize(HttpRequest request) throws IOException {
        credentials().initialize(request);
    }

    private synchronized HttpCredentialsAdapter credentials() throws Missing {
        if (found == null) {
            try {
                found = new HttpCredentialsAdapter(
                        GoogleCredentials.getApplicationDefault().createScoped(SCOPE));
            } catch (IOException e) {
                throw new Missing(e);
            }
        }
        return found;
    }
}
