// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import com.sun.jna.Native;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.netlink.NetlinkRequest;
import dev.lifeboat.linux.netlink.NetlinkSocket;
import dev.lifeboat.linux.netlink.Rtnetlink;
import dev.lifeboat.net.Links.Link;
import java.net.InetAddress;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;

/**
 * A network namespace of its own and the thread that lives in it. On Linux the namespace belongs to the thread, and a
 * socket to the namespace of the thread that opened it. The namespace goes away with the thread and its sockets.
 */
final class TestNamespace implements AutoCloseable {
    private static final int CLONE_NEWNET = 0x4000_0000;
    private static final long CALL_LIMIT_S = 30;

    static {
        Native.register(TestNamespace.class, "c");
    }

    private final ExecutorService thread;
    private final int threadId;
    private final NetlinkSocket netlink;
    private final Links links;

    TestNamespace(String name) throws Exception {
        thread = Executors.newSingleThreadExecutor(task -> {
            Thread made = new Thread(task, "namespace-" + name);
            made.setDaemon(true);
            return made;
        });
        threadId = call(() -> {
            Libc.check(unshare(CLONE_NEWNET), "unshare", "CLONE_NEWNET");
            return Libc.gettid();
        });
        netlink = call(NetlinkSocket::openRoute);
        links = new Links(netlink);
        links.setUp(links.find("lo").orElseThrow());
    }

    private static native int unshare(int flags);

    /** Runs {@code action} inside the namespace. */
    <T> T call(Callable<T> action) throws Exception {
        try {
            return thread.submit(action).get(CALL_LIMIT_S, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw e;
        } catch (TimeoutException e) {
            throw new IllegalStateException("nothing came back within " + CALL_LIMIT_S + " s", e);
        }
    }

    Links links() {
        return links;
    }

    Set<String> interfaceNames() {
        return links.all().stream().map(Link::name).collect(Collectors.toSet());
    }

    /** A cable between two namespaces: a pair of veth devices, both up. */
    static void cable(TestNamespace here, String hereName, TestNamespace there, String thereName) {
        NetlinkRequest request = new NetlinkRequest(
                        Rtnetlink.RTM_NEWLINK,
                        Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_EXCL,
                        "create cable " + hereName + " - " + thereName)
                .linkHeader(0, 0, 0)
                .text(Rtnetlink.IFLA_IFNAME, hereName);
        int linkInfo = request.beginNested(Rtnetlink.IFLA_LINKINFO);
        request.text(Rtnetlink.IFLA_INFO_KIND, "veth");
        int data = request.beginNested(Rtnetlink.IFLA_INFO_DATA);
        int peer = request.begin(Rtnetlink.VETH_INFO_PEER);
        request.linkHeader(0, 0, 0)
                .text(Rtnetlink.IFLA_IFNAME, thereName)
                .int32(Rtnetlink.IFLA_NET_NS_PID, there.threadId);
        request.end(peer).end(data).end(linkInfo);
        here.netlink.execute(request);
        here.links.setUp(here.links.find(hereName).orElseThrow());
        there.links.setUp(there.links.find(thereName).orElseThrow());
    }

    void address(String interfaceName, String address, int prefixBits) throws Exception {
        byte[] bytes = InetAddress.getByName(address).getAddress();
        int family = bytes.length == 4 ? Rtnetlink.AF_INET : Rtnetlink.AF_INET6;
        netlink.execute(new NetlinkRequest(
                        Rtnetlink.RTM_NEWADDR,
                        Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_EXCL,
                        "address " + address + " on " + interfaceName)
                .addressHeader(
                        family,
                        prefixBits,
                        links.find(interfaceName).orElseThrow().index())
                .bytes(Rtnetlink.IFA_LOCAL, bytes)
                .bytes(Rtnetlink.IFA_ADDRESS, bytes));
    }

    @Override
    public void close() {
        netlink.close();
        thread.shutdownNow();
    }
}
