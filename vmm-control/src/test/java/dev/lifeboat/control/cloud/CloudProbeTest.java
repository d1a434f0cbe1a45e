// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.cloudfakes.metadata.CloudMetadata;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class CloudProbeTest {
    @TempDir
    Path directory;

    private Path vendor(String text) throws Exception {
        return Files.writeString(directory.resolve("sys_vendor"), text + "\n");
    }

    @Test
    void eachCloudIsKnownByItsOwnMetadataServiceWhateverTheVendorSays() throws Exception {
        for (CloudKind kind : CloudKind.values()) {
            try (CloudMetadata service = CloudMetadata.start(kind.word(), InstantSource.system())) {
                String url = "http://127.0.0.1:" + service.port();
                assertThat(CloudProbe.recognise(url, directory.resolve("none"))).contains(kind);
                assertThat(CloudProbe.recognise(url, vendor("QEMU"))).contains(kind);
                assertThat(CloudProbe.recognise(url, vendor("Amazon EC2"))).contains(kind);
            }
        }
    }

    @Test
    void whenNoServiceAnswersTheVendorIsBelievedAndWithoutOneNothing() throws Exception {
        String url;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            url = "http://127.0.0.1:" + free.getLocalPort();
        }
        assertThat(CloudProbe.recognise(url, vendor("Google"))).contains(CloudKind.GOOGLE);
        assertThat(CloudProbe.recognise(url, vendor("Microsoft Corporation"))).contains(CloudKind.AZURE);
        assertThat(CloudProbe.recognise(url, vendor("Amazon EC2"))).contains(CloudKind.AWS);
        assertThat(CloudProbe.recognise(url, vendor("QEMU"))).isEmpty();
        assertThat(CloudProbe.recognise(url, directory.resolve("none"))).isEmpty();
    }

    @Test
    void aServiceThatAcceptsAndIsSilentDoesNotHoldTheProbe() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            long begunNs = System.nanoTime();
            assertThat(CloudProbe.recognise("http://127.0.0.1:" + silent.getLocalPort(), directory.resolve("none")))
                    .isEmpty();
            assertThat(Duration.ofNanos(System.nanoTime() - begunNs)).isLessThan(Duration.ofSeconds(10));
        }
    }

    @Test
    void aUrlThatIsNoMetadataServicesIsNamed() {
        assertThatThrownBy(() -> CloudProbe.recognise("ftp://somewhere/path"))
                .hasMessageContaining("http://HOST[:PORT]")
                .hasMessageContaining("ftp://somewhere/path");
    }
}
