// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;

/** A directory bucket (S3 Express One Zone): session credentials, prefixes of whole directories, lists in no order. */
class S3ExpressObjectStoreTest extends ObjectStoreSuite {
    @Override
    BackEnd backEnd() throws IOException {
        return new S3BackEnd("lifeboat--use1-az4--x-s3");
    }
}
