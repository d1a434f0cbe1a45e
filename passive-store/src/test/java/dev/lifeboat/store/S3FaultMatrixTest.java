// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;

class S3FaultMatrixTest extends FaultMatrixSuite {
    @Override
    BackEnd backEnd() throws IOException {
        return new S3BackEnd("bucket");
    }
}
