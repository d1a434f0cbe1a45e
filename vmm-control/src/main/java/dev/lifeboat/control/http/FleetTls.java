// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.http;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.VmmConfig;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;

/**
 * The identity of one machine in the fleet, from PEM files: both sides of every connection show a certificate of the
 * fleet's own authority, and nothing else is trusted. TLS 1.3 only.
 */
public final class FleetTls {
    private final SSLContext context;

    private FleetTls(SSLContext context) {
        this.context = context;
    }

    /** @throws ControlException naming the file that is missing or not what it should be */
    public static FleetTls read(VmmConfig.Tls files) {
        try {
            KeyStore trusted = KeyStore.getInstance("PKCS12");
            trusted.load(null, null);
            int n = 0;
            for (Certificate authority : certificates(Path.of(files.authority()))) {
                trusted.setCertificateEntry("authority-" + n++, authority);
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
            trust.init(trusted);

            KeyStore own = KeyStore.getInstance("PKCS12");
            own.load(null, null);
            Certificate[] chain = certificates(Path.of(files.certificate())).toArray(new Certificate[0]);
            char[] inMemoryOnly = "lifeboat".toCharArray();
            own.setKeyEntry("host", key(Path.of(files.key()), chain[0]), inMemoryOnly, chain);
            KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
            keys.init(own, inMemoryOnly);

            SSLContext context = SSLContext.getInstance("TLSv1.3");
            context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
            return new FleetTls(context);
        } catch (GeneralSecurityException | IOException e) {
            throw new ControlException(
                    ExitCode.USAGE, "cannot use the TLS files of " + files.certificate() + ": " + e.getMessage(), e);
        }
    }

    /**
     * For a machine that has no certificate yet: it knows whom to trust and can show nothing.
     *
     * @param authority PEM file of the fleet's authority
     */
    public static FleetTls trusting(Path authority) {
        try {
            KeyStore trusted = KeyStore.getInstance("PKCS12");
            trusted.load(null, null);
            int n = 0;
            for (Certificate one : certificates(authority)) {
                trusted.setCertificateEntry("authority-" + n++, one);
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
            trust.init(trusted);
            SSLContext context = SSLContext.getInstance("TLSv1.3");
            context.init(null, trust.getTrustManagers(), null);
            return new FleetTls(context);
        } catch (GeneralSecurityException | IOException e) {
            throw new ControlException(
                    ExitCode.USAGE,
                    "cannot use the fleet authority's certificate " + authority + ": " + e.getMessage(),
                    e);
        }
    }

    SSLContext context() {
        return context;
    }

    SSLParameters serverParameters() {
        SSLParameters parameters = clientParameters();
        parameters.setNeedClientAuth(true);
        return parameters;
    }

    SSLParameters clientParameters() {
        SSLParameters parameters = context.getDefaultSSLParameters();
        parameters.setProtocols(new String[] {"TLSv1.3"});
        return parameters;
    }

    private static Collection<? extends Certificate> certificates(Path file) {
        try {
            Collection<? extends Certificate> found =
                    CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(bytes(file)));
            if (!found.isEmpty()) {
                return found;
            }
            throw new ControlException(ExitCode.USAGE, "no certificate in " + file + "; it should be a PEM file");
        } catch (CertificateException e) {
            throw new ControlException(ExitCode.USAGE, file + " is not a PEM certificate: " + e.getMessage(), e);
        }
    }

    private static PrivateKey key(Path file, Certificate certificate) throws GeneralSecurityException {
        String text = new String(bytes(file), StandardCharsets.US_ASCII);
        String begin = "-----BEGIN PRIVATE KEY-----";
        int from = text.indexOf(begin);
        int to = text.indexOf("-----END PRIVATE KEY-----");
        if (from < 0 || to < from) {
            throw new ControlException(
                    ExitCode.USAGE, file + " is not an unencrypted PKCS#8 PEM key (\"BEGIN PRIVATE KEY\")");
        }
        try {
            byte[] encoded = Base64.getMimeDecoder().decode(text.substring(from + begin.length(), to));
            return KeyFactory.getInstance(certificate.getPublicKey().getAlgorithm())
                    .generatePrivate(new PKCS8EncodedKeySpec(encoded));
        } catch (InvalidKeySpecException | IllegalArgumentException e) {
            throw new ControlException(
                    ExitCode.USAGE,
                    file + " is not the private key of its certificate, or damaged: " + e.getMessage(),
                    e);
        }
    }

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new ControlException(ExitCode.USAGE, "no TLS file at " + file + "; make one with: lifeboat certs", e);
        } catch (IOException e) {
            throw new ControlException(ExitCode.USAGE, "cannot read the TLS file " + file + ": " + e.getMessage(), e);
        }
    }
}
