// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import org.junit.jupiter.api.AfterEach;

/** Faults of S3 itself under a claim are in the suites of the store. */
class S3OwnerRegistryTest extends ObjectOwnerRegistrySuite {
    private S3BackEnd s3;

    @Override
    ObjectStore objects() throws IOException {
        s3 = new S3BackEnd("bucket");
        return s3.open();
    }

    @AfterEach
    void stopServer() throws IOException {
        s3.close();
    }
}
