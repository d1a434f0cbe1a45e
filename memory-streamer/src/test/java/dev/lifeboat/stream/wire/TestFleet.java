// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** A certificate authority for tests, and hosts with certificates of it, as PEM files in a directory. */
public final class TestFleet {
    private final Path directory;
    private final KeyPair authorityKey;
    private final X500Name authorityName;
    private final Path authorityFile;
    private int serial = 1;

    public TestFleet(Path directory, String name) {
        this.directory = directory;
        authorityName = new X500Name("CN=" + name);
        try {
            authorityKey = newKey();
            authorityFile = directory.resolve(name + "-authority.pem");
            Files.writeString(authorityFile, certificate(authorityName, authorityKey, null));
        } catch (IOException | GeneralSecurityException | OperatorException e) {
            throw new IllegalStateException(e);
        }
    }

    /** TLS as the named host of this fleet. */
    public WireSecurity host(String hostName) {
        HostFiles files = files(hostName);
        return WireSecurity.tls(authorityFile, files.certificate(), files.key());
    }

    /** @param key PKCS #8 */
    record HostFiles(Path certificate, Path key) {}

    HostFiles files(String hostName) {
        try {
            KeyPair key = newKey();
            Path certificateFile = directory.resolve(hostName + "-" + serial + ".pem");
            Path keyFile = directory.resolve(hostName + "-" + serial + ".key");
            Files.writeString(certificateFile, certificate(new X500Name("CN=" + hostName), key, hostName));
            Files.writeString(keyFile, pem("PRIVATE KEY", key.getPrivate().getEncoded()));
            return new HostFiles(certificateFile, keyFile);
        } catch (IOException | GeneralSecurityException | OperatorException e) {
            throw new IllegalStateException(e);
        }
    }

    private static KeyPair newKey() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(256);
        return generator.generateKeyPair();
    }

    private String certificate(X500Name subject, KeyPair key, String hostName)
            throws IOException, GeneralSecurityException, OperatorException {
        Instant now = Instant.now();
        JcaX509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
                authorityName,
                BigInteger.valueOf(serial++),
                Date.from(now.minus(Duration.ofHours(1))),
                Date.from(now.plus(Duration.ofHours(1))),
                subject,
                key.getPublic());
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(hostName == null));
        if (hostName != null) {
            builder.addExtension(
                    Extension.subjectAlternativeName,
                    false,
                    new GeneralNames(new GeneralName(GeneralName.dNSName, hostName)));
        }
        byte[] encoded = builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(authorityKey.getPrivate()))
                .getEncoded();
        return pem("CERTIFICATE", encoded);
    }

    private static String pem(String type, byte[] content) {
        StringWriter text = new StringWriter();
        text.append("-----BEGIN ").append(type).append("-----\n");
        text.append(Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content));
        text.append("\n-----END ").append(type).append("-----\n");
        return text.toString();
    }
}
