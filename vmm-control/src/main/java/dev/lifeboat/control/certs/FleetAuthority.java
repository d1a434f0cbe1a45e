// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.certs;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.VmmConfig;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.EnumSet;
import java.util.List;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemWriter;

/**
 * A fleet's own certificate authority and the certificates it gives to hosts, as PEM files in one directory. EC P-256:
 * small, and quick also on an emulated processor. A host's certificate serves both as server and as client.
 */
public final class FleetAuthority {
    private static final String CURVE = "secp256r1";
    private static final String SIGNATURE = "SHA256withECDSA";
    /** Tolerates hosts whose clocks are behind. */
    private static final Duration BACKDATED = Duration.ofDays(1);

    private static final Duration AUTHORITY_LIFE = Duration.ofDays(3650);
    private static final Duration HOST_LIFE = Duration.ofDays(825);

    private final Path directory;
    private final X509Certificate certificate;
    private final PrivateKey key;

    private FleetAuthority(Path directory, X509Certificate certificate, PrivateKey key) {
        this.directory = directory;
        this.certificate = certificate;
        this.key = key;
    }

    /** Opens the authority in {@code directory} ({@code ca.crt}, {@code ca.key}), making it when there is none. */
    public static FleetAuthority openOrCreate(Path directory) {
        Path certificateFile = directory.resolve("ca.crt");
        Path keyFile = directory.resolve("ca.key");
        try {
            Files.createDirectories(directory);
            if (Files.exists(certificateFile) && Files.exists(keyFile)) {
                X509Certificate certificate = (X509Certificate) CertificateFactory.getInstance("X.509")
                        .generateCertificate(new ByteArrayInputStream(Files.readAllBytes(certificateFile)));
                return new FleetAuthority(directory, certificate, readKey(keyFile));
            }
            KeyPair pair = newPair();
            X500Principal name = new X500Principal("CN=Lifeboat fleet authority " + serial().toString(36));
            X509v3CertificateBuilder builder = builder(name, name, pair.getPublic(), AUTHORITY_LIFE)
                    .addExtension(Extension.basicConstraints, true, new BasicConstraints(0))
                    .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
            X509Certificate certificate = sign(builder, pair.getPrivate());
            write(keyFile, "PRIVATE KEY", pair.getPrivate().getEncoded(), "rw-------");
            write(certificateFile, "CERTIFICATE", certificate.getEncoded(), "rw-r--r--");
            return new FleetAuthority(directory, certificate, pair.getPrivate());
        } catch (IOException | GeneralSecurityException | OperatorCreationException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot make or read the fleet authority in " + directory + ": " + e, e);
        }
    }

    /**
     * Makes {@code NAME.crt} and {@code NAME.key} (mode 0600).
     *
     * @param name of the host in the fleet; also a name it may be reached by
     * @param addresses further names and IP addresses it may be reached by
     */
    public VmmConfig.Tls issue(String name, List<String> addresses) {
        try {
            KeyPair pair = newPair();
            X509Certificate issued = certify(name, addresses, pair.getPublic());
            Path certificateFile = directory.resolve(name + ".crt");
            Path keyFile = directory.resolve(name + ".key");
            write(keyFile, "PRIVATE KEY", pair.getPrivate().getEncoded(), "rw-------");
            write(certificateFile, "CERTIFICATE", issued.getEncoded(), "rw-r--r--");
            return new VmmConfig.Tls(
                    directory.resolve("ca.crt").toString(), certificateFile.toString(), keyFile.toString());
        } catch (IOException | GeneralSecurityException | OperatorCreationException | IllegalArgumentException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot make a certificate for " + name + ": " + e.getMessage(), e);
        }
    }

    /**
     * A certificate for a key that its owner made and kept; nothing is written.
     *
     * @param name as in {@link #issue}
     * @return PEM
     */
    public String sign(String name, List<String> addresses, PublicKey key) {
        try {
            return pem("CERTIFICATE", certify(name, addresses, key).getEncoded());
        } catch (IOException | GeneralSecurityException | OperatorCreationException | IllegalArgumentException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot make a certificate for " + name + ": " + e.getMessage(), e);
        }
    }

    /** The authority's own certificate, which everybody may know; PEM. */
    public String certificate() {
        try {
            return pem("CERTIFICATE", certificate.getEncoded());
        } catch (IOException | GeneralSecurityException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot write the authority's certificate: " + e.getMessage(), e);
        }
    }

    private X509Certificate certify(String name, List<String> addresses, PublicKey publicKey)
            throws IOException, GeneralSecurityException, OperatorCreationException {
        GeneralName[] names = new GeneralName[addresses.size() + 1];
        names[0] = new GeneralName(GeneralName.dNSName, name);
        for (int i = 0; i < addresses.size(); i++) {
            String address = addresses.get(i);
            boolean numeric = address.contains(":") || address.matches("[0-9.]+");
            names[i + 1] = new GeneralName(numeric ? GeneralName.iPAddress : GeneralName.dNSName, address);
        }
        X509v3CertificateBuilder builder = builder(
                        certificate.getSubjectX500Principal(), new X500Principal("CN=" + name), publicKey, HOST_LIFE)
                .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
                .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
                .addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(new KeyPurposeId[] {
                    KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth
                }))
                .addExtension(Extension.subjectAlternativeName, false, new GeneralNames(names));
        return sign(builder, key);
    }

    private static X509v3CertificateBuilder builder(
            X500Principal issuer, X500Principal subject, PublicKey key, Duration life) {
        Instant now = Instant.now();
        return new JcaX509v3CertificateBuilder(
                issuer, serial(), Date.from(now.minus(BACKDATED)), Date.from(now.plus(life)), subject, key);
    }

    private static X509Certificate sign(X509v3CertificateBuilder builder, PrivateKey key)
            throws GeneralSecurityException, OperatorCreationException {
        return new JcaX509CertificateConverter()
                .getCertificate(builder.build(new JcaContentSignerBuilder(SIGNATURE).build(key)));
    }

    private static KeyPair newPair() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec(CURVE));
        return generator.generateKeyPair();
    }

    /** 127 random bits: unique without a register, and positive as RFC 5280 wants. */
    private static BigInteger serial() {
        return new BigInteger(127, new SecureRandom());
    }

    private static PrivateKey readKey(Path file) throws IOException, GeneralSecurityException {
        String text = Files.readString(file, StandardCharsets.US_ASCII).replaceAll("-----[A-Z ]+-----", "");
        return KeyFactory.getInstance("EC")
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(text)));
    }

    private static String pem(String type, byte[] content) throws IOException {
        StringWriter text = new StringWriter();
        try (PemWriter pem = new PemWriter(text)) {
            pem.writeObject(new PemObject(type, content));
        }
        return text.toString();
    }

    private static void write(Path file, String type, byte[] content, String mode) throws IOException {
        String text = pem(type, content);
        Files.deleteIfExists(file);
        // The mode is there from the first moment: a key is never readable by others, not even briefly.
        try (var channel = Files.newByteChannel(
                file,
                EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode)))) {
            channel.write(java.nio.ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
        }
    }
}
