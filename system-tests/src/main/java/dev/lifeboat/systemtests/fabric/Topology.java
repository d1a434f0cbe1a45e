// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

/** Addresses and ports of the emulated network. Machine number 1 is the gateway, 2 the client, 11 and up the hosts. */
final class Topology {

    static final String UNDERLAY = "10.77.0.";
    static final String GUEST_NETWORK = "10.88.0.";
    static final int GATEWAY = 1;
    static final int CLIENT = 2;
    static final int FIRST_HOST = 11;
    /** DESIGN section 9: fits every cloud's underlay with VXLAN's 50 bytes. */
    static final int GUEST_MTU = 1380;

    static final int VNI = 77;
    static final int API_PORT = 7443;
    static final int S3_PORT = 9000;
    static final int LOAD_CONTROL_PORT = 7000;
    static final String BUCKET = "lifeboat";

    private Topology() {}

    static String underlayMac(int number) {
        return String.format("52:54:00:77:00:%02x", number);
    }

    static String clientSideMac(int number) {
        return String.format("52:54:00:88:00:%02x", number);
    }

    static String managementMac(int number) {
        return String.format("52:54:00:02:00:%02x", number);
    }
}
