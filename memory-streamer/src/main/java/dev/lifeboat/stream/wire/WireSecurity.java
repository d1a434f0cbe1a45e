// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.Optional;
import javax.net.ssl.SSLException;

/**
 * Who may talk to whom: TLS 1.3 with certificates on both sides, signed by the fleet's authority; a host is known by
 * its name in the certificate's subject alternative names. Plain connections exist for {@code --insecure} only.
 */
public final class WireSecurity {
    private static final String TLS = "TLSv1.3";

    private final SslContext client;
    private final SslContext server;

    private WireSecurity(SslContext client, SslContext server) {
        this.client = client;
        this.server = server;
    }

    /**
     * Mutual TLS 1.3.
     *
     * @param authority the fleet's certificate authority, PEM
     * @param certificate this host's, PEM, with its name as subject alternative name
     * @param key this host's private key, PEM, PKCS #8
     * @throws WireException naming the file that cannot be used
     */
    public static WireSecurity tls(Path authority, Path certificate, Path key) {
        X509Certificate[] trusted = HostIdentity.certificates(authority);
        HostIdentity host = HostIdentity.read(certificate, key);
        SslProvider provider = OpenSsl.isAvailable() ? SslProvider.OPENSSL : SslProvider.JDK;
        try {
            SslContext client = SslContextBuilder.forClient()
                    .sslProvider(provider)
                    .protocols(TLS)
                    .trustManager(trusted)
                    .keyManager(host)
                    .endpointIdentificationAlgorithm("HTTPS")
                    .build();
            SslContext server = SslContextBuilder.forServer(host)
                    .sslProvider(provider)
                    .protocols(TLS)
                    .trustManager(trusted)
                    .clientAuth(ClientAuth.REQUIRE)
                    .build();
            return new WireSecurity(client, server);
        } catch (SSLException | IllegalArgumentException e) {
            throw new WireException(
                    "the authority " + authority + ", certificate " + certificate + " and key " + key
                            + " do not make a usable set: " + e.getMessage(),
                    e);
        }
    }

    /** No encryption and no authentication, because the user asked for it. */
    public static WireSecurity insecure() {
        return new WireSecurity(null, null);
    }

    Optional<SslContext> client() {
        return Optional.ofNullable(client);
    }

    Optional<SslContext> server() {
        return Optional.ofNullable(server);
    }
}
