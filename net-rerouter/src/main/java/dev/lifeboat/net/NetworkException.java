// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.LinuxException;

/** A network change that failed: what was attempted, why, and what the user can do. The only exception of this module. */
public final class NetworkException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NetworkException(String message) {
        super(message);
    }

    /** For what is built upon this module, such as a cloud's addresses. */
    public NetworkException(String message, Throwable cause) {
        super(message, cause);
    }

    NetworkException(String attempted, LinuxException cause) {
        super("cannot " + attempted + ": " + cause.getMessage() + advice(cause.errno()), cause);
    }

    private static String advice(int errno) {
        return switch (errno) {
            case Errno.EPERM, Errno.EACCES ->
                ". This needs CAP_NET_ADMIN (and CAP_NET_RAW for announcements): run as root, or give the agent's unit"
                        + " AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW";
            case Errno.EOPNOTSUPP -> ". The running kernel offers no such device: modprobe bridge vxlan";
            case Errno.ENOENT, Errno.ENODEV ->
                ". A device or entry is missing; for taps: modprobe tun, and see that" + " /dev/net/tun exists";
            case Errno.EEXIST ->
                ". Another device has this name, or the same VXLAN number and port; choose others or"
                        + " remove it (ip -details link show)";
            case Errno.EADDRINUSE -> ". Another program has the VXLAN port; choose another one for the whole fleet";
            case Errno.EBUSY ->
                ". It is in use: another process has the tap open, or the port belongs to another bridge";
            default -> "";
        };
    }
}
