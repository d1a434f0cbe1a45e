// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

/** What the machines run after their boot: {@code /lifeboat/start} of each role. */
final class Scripts {

    /** Finds interfaces by address, because their names depend on the order in which drivers come up. */
    private static final String COMMON = """
            #!/bin/sh
            nic() {
                for directory in /sys/class/net/*; do
                    [ "$(cat "$directory/address")" = "$1" ] && basename "$directory"
                done
            }
            for f in /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/ipv6/conf/default/disable_ipv6; do
                [ -e "$f" ] && echo 1 > "$f"
            done
            management=$(nic %s)
            ip addr add 10.0.2.15/24 dev "$management"
            ip link set "$management" up
            """;

    private static final String UNDERLAY = """
            underlay=$(nic %s)
            ip addr add %s/24 dev "$underlay"
            ip link set "$underlay" up
            """;

    private static final String CREDENTIALS = """
            export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s
            """;

    /** The end of a role is an event to look at, not the end of the machine. */
    private static final String STAY = """
            echo "lifeboat-machine: role ended with status $?"
            exec sleep 100000
            """;

    private Scripts() {}

    static String host(int number, String accessKey, String secretKey, StoreKind store) {
        return COMMON.formatted(Topology.managementMac(number))
                + underlay(number)
                + CREDENTIALS.formatted(accessKey, secretKey)
                + (store == StoreKind.DIR ? mountStore() : "")
                + "mkdir -p /run/lifeboat\n"
                + "java dev.lifeboat.control.cli.Main agent --config /lifeboat/agent.json\n"
                + STAY;
    }

    /** A host of a cloud: what the cloud's first boot runs is all it knows. */
    static String launchedHost(int number, String accessKey, String secretKey) {
        return COMMON.formatted(Topology.managementMac(number))
                + underlay(number)
                + CREDENTIALS.formatted(accessKey, secretKey)
                + """
                mkdir -p /run/lifeboat
                /lifeboat/user-data
                """
                + STAY;
    }

    static String gateway(StoreKind store, String hostAddresses) {
        return COMMON.formatted(Topology.managementMac(Topology.GATEWAY))
                + underlay(Topology.GATEWAY)
                + """
                clients=$(nic %s)
                ip link set "$clients" mtu %d up
                sed -i "s/@CLIENTS@/$clients/" /lifeboat/gateway.json
                """.formatted(Topology.clientSideMac(Topology.GATEWAY), Topology.GUEST_MTU)
                + (store == StoreKind.S3 ? s3Server() : shareStore(hostAddresses))
                + "java dev.lifeboat.control.cli.Main gateway --config /lifeboat/gateway.json\n"
                + STAY;
    }

    static String client() {
        return COMMON.formatted(Topology.managementMac(Topology.CLIENT))
                + """
                guests=$(nic %s)
                ip addr add %s/24 dev "$guests"
                ip link set "$guests" mtu %d up
                echo "lifeboat-machine: client ready"
                exec sleep 100000
                """.formatted(
                                Topology.clientSideMac(Topology.CLIENT),
                                Topology.GUEST_NETWORK + Topology.CLIENT,
                                Topology.GUEST_MTU);
    }

    private static String underlay(int number) {
        return UNDERLAY.formatted(Topology.underlayMac(number), Topology.UNDERLAY + number);
    }

    /**
     * On memory of the gateway: the store outlives every host, which is all that is asked of it here. The next role waits
     * until the server listens: two JVMs that start at once on one processor make each other late, and VMs wait for this one.
     */
    private static String s3Server() {
        return """
                mkdir -p /store
                mount -t tmpfs -o size=75%% tmpfs /store
                (
                    cd /s3-server
                    /lifeboat/runtime/bin/java @java.args -Xmx384m dev.lifeboat.s3server.S3ServerMain 0.0.0.0 %d /store %s
                    echo "lifeboat-machine: S3 server ended with status $?"
                ) &
                tries=0
                until grep -q ':%04X 0*:0000 0A' /proc/net/tcp /proc/net/tcp6; do
                    tries=$((tries + 1))
                    [ "$tries" -ge 300 ] && break
                    sleep 0.2
                done
                """.formatted(Topology.S3_PORT, Topology.BUCKET, Topology.S3_PORT);
    }

    private static String shareStore(String hostAddresses) {
        return """
                mkdir -p /store
                mount -t tmpfs -o size=75%% tmpfs /store
                share-directory serve /store %s
                """.formatted(hostAddresses);
    }

    private static String mountStore() {
        return """
                mkdir -p /store
                tries=0
                until share-directory mount %s /store; do
                    tries=$((tries + 1))
                    [ "$tries" -ge 60 ] && break
                    sleep 0.5
                done
                """.formatted(Topology.UNDERLAY + Topology.GATEWAY);
    }
}
