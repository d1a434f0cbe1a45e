// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.google.GoogleBackEnd;
import java.io.IOException;

class GoogleFaultMatrixTest extends FaultMatrixSuite {
    @Override
    BackEnd backEnd() throws IOException {
        return new GoogleBackEnd();
    }
}
