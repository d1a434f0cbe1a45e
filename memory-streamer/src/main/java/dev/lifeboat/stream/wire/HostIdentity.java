// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.stream.Stream;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;

/**
 * The certificate that this host shows in every handshake, and its private key, from PEM files. Immutable.
 *
 * <p>No {@link java.security.KeyStore} is involved: the JDK's encrypts a key that is in memory already with ten thousand
 * rounds of a hash and decrypts it again for use. Each costs milliseconds in a warm JVM, and a tenth of a second in one
 * that has just started, as a {@code vmm} has.
 */
public final class HostIdentity extends X509ExtendedKeyManager {
    private static final String ALIAS = "host";
    private static final String BEGIN_KEY = "-----BEGIN PRIVATE KEY-----";
    private static final String END_KEY = "-----END PRIVATE KEY-----";

    private final X509Certificate[] chain;
    private final PrivateKey key;

    private HostIdentity(X509Certificate[] chain, PrivateKey key) {
        this.chain = chain;
        this.key = key;
    }

    /**
     * @param certificate PEM, this host's first
     * @param key its private key, PEM, PKCS #8, not encrypted
     * @throws WireException naming the file that is missing or not what it should be
     */
    public static HostIdentity read(Path certificate, Path key) {
        X509Certificate[] chain = certificates(certificate);
        return new HostIdentity(chain, key(key, chain[0]));
    }

    /**
     * The certificates in a PEM file, at least one.
     *
     * @throws WireException naming the file when it is missing or has none
     */
    public static X509Certificate[] certificates(Path file) {
        try {
            X509Certificate[] found = CertificateFactory.getInstance("X.509")
                    .generateCertificates(new ByteArrayInputStream(bytes(file)))
                    .toArray(new X509Certificate[0]);
            if (found.length == 0) {
                throw new WireException("no certificate in " + file + "; it should be a PEM file");
            }
            return found;
        } catch (CertificateException e) {
            throw new WireException(file + " is not a PEM certificate: " + e.getMessage(), e);
        }
    }

    private static PrivateKey key(Path file, X509Certificate certificate) {
        String text = new String(bytes(file), StandardCharsets.US_ASCII);
        int from = text.indexOf(BEGIN_KEY);
        int to = text.indexOf(END_KEY);
        if (from < 0 || to < from) {
            throw new WireException(file + " is not an unencrypted PKCS#8 PEM key (\"BEGIN PRIVATE KEY\")");
        }
        try {
            byte[] encoded = Base64.getMimeDecoder().decode(text.substring(from + BEGIN_KEY.length(), to));
            return KeyFactory.getInstance(certificate.getPublicKey().getAlgorithm())
                    .generatePrivate(new PKCS8EncodedKeySpec(encoded));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw new WireException(
                    file + " is not the private key of its certificate, or damaged: " + e.getMessage(), e);
        }
    }

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new WireException("no TLS file at " + file + "; make one with: lifeboat certs", e);
        } catch (IOException e) {
            throw new WireException("cannot read the TLS file " + file + ": " + e.getMessage(), e);
        }
    }

    /** Key types come as {@code EC}, or with the algorithm of the certificate's signature as {@code EC_RSA}. */
    private boolean fits(String keyType) {
        String algorithm = key.getAlgorithm();
        return keyType.equals(algorithm) || keyType.startsWith(algorithm + "_");
    }

    private String alias(String... keyTypes) {
        return Stream.of(keyTypes).anyMatch(this::fits) ? ALIAS : null;
    }

    private String[] aliases(String keyType) {
        return fits(keyType) ? new String[] {ALIAS} : null;
    }

    @Override
    public String[] getClientAliases(String keyType, Principal[] issuers) {
        return aliases(keyType);
    }

    @Override
    public String[] getServerAliases(String keyType, Principal[] issuers) {
        return aliases(keyType);
    }

    @Override
    public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
        return alias(keyTypes);
    }

    @Override
    public String chooseEngineClientAlias(String[] keyTypes, Principal[] issuers, SSLEngine engine) {
        return alias(keyTypes);
    }

    @Override
    public String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
        return alias(keyType);
    }

    @Override
    public String chooseEngineServerAlias(String keyType, Principal[] issuers, SSLEngine engine) {
        return alias(keyType);
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
        return ALIAS.equals(alias) ? chain.clone() : null;
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
        return ALIAS.equals(alias) ? key : null;
    }
}
