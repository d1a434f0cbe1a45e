// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

@Execution(ExecutionMode.CONCURRENT)
class S3ObjectStoreTest extends RemoteObjectStoreSuite {
    private S3BackEnd s3;

    @Override
    RemoteBackEnd backEnd() throws IOException {
        s3 = new S3BackEnd("bucket");
        return s3;
    }

    @Test
    void objectsAreUnderThePrefix() {
        objects.put("a", bytes("x"));
        assertThat(s3.server.objects).containsOnlyKeys("some/prefix/a");
    }

    @Test
    void urlsAndEndpointsThatMakeNoSenseAreExplained() {
        assertThatThrownBy(() -> ObjectStores.open("s3://", Optional.empty(), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("s3://bucket/prefix");
        assertThatThrownBy(() -> ObjectStores.open("s3://me:secret@b", Optional.empty(), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("without credentials")
                .message()
                .doesNotContain("secret");
        assertThatThrownBy(() -> ObjectStores.open("s3://b", Optional.of("localhost"), Optional.empty()))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("http://host:port");
    }
}
