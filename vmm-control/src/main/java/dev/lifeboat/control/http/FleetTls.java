// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.http;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.stream.wire.HostIdentity;
import dev.lifeboat.stream.wire.WireException;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.function.Supplier;
import javax.net.ssl.KeyManager;
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
        return context(Path.of(files.authority()), () ->
                new KeyManager[] {HostIdentity.read(Path.of(files.certificate()), Path.of(files.key()))});
    }

    /**
     * For a machine that has no certificate yet: it knows whom to trust and can show nothing.
     *
     * @param authority PEM file of the fleet's authority
     */
    public static FleetTls trusting(Path authority) {
        return context(authority, () -> null);
    }

    private static FleetTls context(Path authority, Supplier<KeyManager[]> shown) {
        try {
            KeyStore trusted = KeyStore.getInstance("PKCS12");
            trusted.load(null, null);
            int n = 0;
            for (X509Certificate one : HostIdentity.certificates(authority)) {
                trusted.setCertificateEntry("authority-" + n++, one);
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
            trust.init(trusted);
            SSLContext context = SSLContext.getInstance("TLSv1.3");
            context.init(shown.get(), trust.getTrustManagers(), null);
            return new FleetTls(context);
        } catch (WireException e) {
            throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
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
}
