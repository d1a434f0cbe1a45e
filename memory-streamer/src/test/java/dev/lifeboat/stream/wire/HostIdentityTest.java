// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Signature;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Handshakes with it are in EvacuationTest (Netty) and AgentTest (the JDK's). */
class HostIdentityTest {
    @TempDir
    private Path directory;

    private TestFleet.HostFiles files;

    @BeforeEach
    void makeFiles() {
        files = new TestFleet(directory, "fleet").files("a");
    }

    @Test
    void theKeyBelongsToTheCertificateThatIsShown() throws GeneralSecurityException {
        HostIdentity host = HostIdentity.read(files.certificate(), files.key());
        String alias = host.chooseEngineClientAlias(new String[] {"RSA", "EC"}, null, null);
        Signature signer = Signature.getInstance("SHA256withECDSA");
        signer.initSign(host.getPrivateKey(alias));
        signer.update(new byte[] {1, 2, 3});
        byte[] signature = signer.sign();
        signer.initVerify(host.getCertificateChain(alias)[0]);
        signer.update(new byte[] {1, 2, 3});
        assertThat(signer.verify(signature)).isTrue();
    }

    @Test
    void isChosenForItsKindOfKeyOnly() {
        HostIdentity host = HostIdentity.read(files.certificate(), files.key());
        assertThat(host.chooseEngineServerAlias("EC", null, null)).isEqualTo("host");
        assertThat(host.chooseEngineServerAlias("EC_RSA", null, null)).isEqualTo("host");
        assertThat(host.chooseEngineServerAlias("RSA", null, null)).isNull();
        assertThat(host.chooseEngineServerAlias("ECX", null, null)).isNull();
        assertThat(host.getServerAliases("RSA", null)).isNull();
        assertThat(host.getPrivateKey("another")).isNull();
        assertThat(host.getCertificateChain("another")).isNull();
    }

    @Test
    void aFileThatIsMissingOrNotWhatItShouldBeIsNamed() throws Exception {
        Path missing = directory.resolve("missing.pem");
        assertThatThrownBy(() -> HostIdentity.read(missing, files.key()))
                .isInstanceOf(WireException.class)
                .hasMessage("no TLS file at " + missing + "; make one with: lifeboat certs");

        Path empty = Files.createFile(directory.resolve("empty.pem"));
        assertThatThrownBy(() -> HostIdentity.read(empty, files.key()))
                .isInstanceOf(WireException.class)
                .hasMessage("no certificate in " + empty + "; it should be a PEM file");

        assertThatThrownBy(() -> HostIdentity.read(files.certificate(), files.certificate()))
                .isInstanceOf(WireException.class)
                .hasMessageContaining(files.certificate() + " is not an unencrypted PKCS#8 PEM key");

        Path damaged = Files.writeString(
                directory.resolve("damaged.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        assertThatThrownBy(() -> HostIdentity.read(files.certificate(), damaged))
                .isInstanceOf(WireException.class)
                .hasMessageContaining(damaged + " is not the private key of its certificate, or damaged");
    }
}
