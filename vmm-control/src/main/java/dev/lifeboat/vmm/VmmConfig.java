// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.stream.lease.LeaseTerms;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Everything a {@code vmm} process is told at its start, read from a JSON file (Jackson, unknown fields refused).
 *
 * @param mode how the VM comes to life
 * @param vmId {@code [a-z0-9][a-z0-9-]{0,62}}
 * @param host this host's name in the fleet
 * @param memoryBytes multiple of 4096
 * @param vcpus 1 to 16
 * @param cpuProfile a {@link CpuProfile} by its word
 * @param kernel bzImage; needed for {@link Mode#BOOT} only
 * @param networks at most 8
 * @param disks at most 8
 * @param epochIntervalMs time between cuts; 0 switches streaming off
 * @param receive where to listen, for {@link Mode#RECEIVE}
 * @param controlSocket path of the Unix socket that the agent talks to (docs/protocol.md)
 * @param owners absent: strict mode, records in the store
 * @param consoleLog file that gets what the guest's serial console prints
 * @param files where disks and images go
 */
public record VmmConfig(
        Mode mode,
        String vmId,
        String host,
        long memoryBytes,
        int vcpus,
        String cpuProfile,
        Optional<String> kernel,
        Optional<String> initrd,
        String commandLine,
        List<Network> networks,
        List<Disk> disks,
        Optional<Store> store,
        int epochIntervalMs,
        Optional<Receive> receive,
        Optional<Tls> tls,
        String controlSocket,
        String consoleLog,
        Files files,
        Owners owners) {
    public VmmConfig {
        owners = owners == null ? Owners.IN_THE_STORE : owners;
    }

    /** In strict mode, owner records in the store. */
    public VmmConfig(
            Mode mode,
            String vmId,
            String host,
            long memoryBytes,
            int vcpus,
            String cpuProfile,
            Optional<String> kernel,
            Optional<String> initrd,
            String commandLine,
            List<Network> networks,
            List<Disk> disks,
            Optional<Store> store,
            int epochIntervalMs,
            Optional<Receive> receive,
            Optional<Tls> tls,
            String controlSocket,
            String consoleLog,
            Files files) {
        this(
                mode,
                vmId,
                host,
                memoryBytes,
                vcpus,
                cpuProfile,
                kernel,
                initrd,
                commandLine,
                networks,
                disks,
                store,
                epochIntervalMs,
                receive,
                tls,
                controlSocket,
                consoleLog,
                files,
                Owners.IN_THE_STORE);
    }

    /** BOOT a kernel, RESTORE the newest whole epoch from the store, or RECEIVE an evacuation. */
    public enum Mode {
        BOOT,
        RESTORE,
        RECEIVE
    }

    /** A tap by name (made beforehand) and the guest's address, {@code 52:54:00:...}. */
    public record Network(String tap, String mac) {}

    /**
     * A disk as a user asks for it. A raw file or block device at {@code path}; or a new disk of {@code sizeBytes} that
     * starts as the image in the file {@code base}, or as zeroes. A writable disk goes with its VM, and on another host
     * becomes a file of that VM there; a read-only one must lie at the same path on every host.
     */
    public record Disk(Optional<String> path, boolean readOnly, Optional<Long> sizeBytes, Optional<String> base) {
        public Disk {
            path = path == null ? Optional.empty() : path;
            sizeBytes = sizeBytes == null ? Optional.empty() : sizeBytes;
            base = base == null ? Optional.empty() : base;
            if (path.isPresent() == sizeBytes.isPresent()
                    || path.isPresent() && base.isPresent()
                    || readOnly && path.isEmpty()) {
                throw new IllegalArgumentException(
                        "a disk needs either \"path\", perhaps \"readOnly\", or \"sizeBytes\", perhaps with \"base\"");
            }
            if (sizeBytes.isPresent() && (sizeBytes.get() <= 0 || sizeBytes.get() % 512 != 0)) {
                throw new IllegalArgumentException(
                        "a disk of " + sizeBytes.get() + " bytes: its size must be a multiple of 512");
            }
        }

        public static Disk at(String path, boolean readOnly) {
            return new Disk(Optional.of(path), readOnly, Optional.empty(), Optional.empty());
        }

        /** @param base file of the image that it starts as; zeroes without */
        public static Disk ofSize(long sizeBytes, Optional<String> base) {
            return new Disk(Optional.empty(), false, Optional.of(sizeBytes), base);
        }
    }

    /**
     * @param diskDirectory gets the disks that this process makes, {@code disk-N.img}; they are of no use after it
     * @param imageCache base images by content, shared by the VMs of this host
     */
    public record Files(String diskDirectory, String imageCache) {}

    /**
     * {@code url} is one of docs/stores.md; the region is for S3 only. {@code key}
     * names the key that epochs are encrypted with ({@code file:/path} or {@code aws-kms:ARN}), and never holds it.
     * {@code volume} is set for a directory on a volume that one host at a time can have.
     */
    public record Store(
            String url,
            Optional<String> endpoint,
            Optional<String> region,
            Optional<String> key,
            Optional<Volume> volume) {
        private static final String DIRECTORY = "dir:";

        public Store {
            endpoint = endpoint == null ? Optional.empty() : endpoint;
            region = region == null ? Optional.empty() : region;
            key = key == null ? Optional.empty() : key;
            volume = volume == null ? Optional.empty() : volume;
            if (volume.isPresent()
                    && (url == null || !isWithin(url, volume.get().mountPoint()))) {
                throw new IllegalArgumentException("the store " + url + " is not on volume "
                        + volume.get().id() + ": name a directory within its mount point, dir:"
                        + volume.get().mountPoint() + "/...");
            }
        }

        /** A store whose VMs are not encrypted. */
        public Store(String url, Optional<String> endpoint, Optional<String> region) {
            this(url, endpoint, region, Optional.empty(), Optional.empty());
        }

        /** With {@code other}, if there is one, instead of its own key. */
        public Store withKey(Optional<String> other) {
            return new Store(url, endpoint, region, other.or(() -> key), volume);
        }

        /** For messages. */
        public String describe() {
            return url + volume.map(on -> " on volume " + on.id()).orElse("");
        }

        /**
         * @throws IllegalArgumentException when the owner records would be on the volume: both hosts of a move, and a host
         *     that restores, must reach them at any time
         */
        public void requireOwnersElsewhere(Owners owners) {
            if (volume.isEmpty()) {
                return;
            }
            String advice =
                    ": only one host at a time reaches volume " + volume.get().id()
                            + ", so the owner records must be elsewhere; name a registry that all hosts reach (--registry"
                            + " etcd://... or another store)";
            if (owners.registry().isEmpty()) {
                throw new IllegalArgumentException("the store " + url + " cannot hold the owner records" + advice);
            }
            if (isWithin(owners.registry().get(), volume.get().mountPoint())) {
                throw new IllegalArgumentException(
                        "the registry " + owners.registry().get() + " is on the volume of the store" + advice);
            }
        }

        private static boolean isWithin(String url, String mountPoint) {
            return url.startsWith(DIRECTORY)
                    && Path.of(url.substring(DIRECTORY.length()))
                            .normalize()
                            .startsWith(Path.of(mountPoint).normalize());
        }
    }

    /**
     * A cloud's volume, or any disk, that one host at a time can have. It belongs to one VM, and goes where that VM goes.
     *
     * @param id the cloud's name of it, such as {@code vol-0123456789abcdef0}
     * @param serial how a host recognises the disk, see {@code HostVolume}; the id unless set
     * @param mountPoint the same on every host
     * @param fleet whose it is: a volume of another fleet is not touched
     * @param format whether a blank one may be formatted when its VM is first started
     */
    public record Volume(String id, String serial, String mountPoint, String fleet, boolean format) {
        private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._/:-]{1,200}");
        private static final String DEFAULT_FLEET = "lifeboat";

        public Volume {
            serial = serial == null ? id : serial;
            fleet = fleet == null ? DEFAULT_FLEET : fleet;
            if (id == null || !NAME.matcher(id).matches()) {
                throw new IllegalArgumentException(
                        "a volume needs an \"id\" of letters, digits and . _ / : -, not " + id);
            }
            if (mountPoint == null
                    || !Path.of(mountPoint).isAbsolute()
                    || Path.of(mountPoint).normalize().getNameCount() == 0) {
                throw new IllegalArgumentException("volume " + id
                        + " needs a \"mountPoint\": an absolute path, such as /var/lib/lifeboat/volume, not "
                        + mountPoint);
            }
        }
    }

    /** How it is decided which host may run the VM (docs/protocol.md, "Ownership"). */
    public enum Ownership {
        /** By the registry, inside the switch. */
        STRICT,
        /** By leases: nobody is asked inside the switch, and a host that is cut off stops by itself. */
        LEASE
    }

    /**
     * The VM's ownership; the same on every host it may live on.
     *
     * @param registry URL of the owner registry, {@code etcd://host:port/prefix} or a store's; the VM's store when absent
     * @param leaseMillis for {@link Ownership#LEASE}: the guest stands still when the registry has been away for so long,
     *     and a restore waits so long
     */
    public record Owners(Optional<String> registry, Ownership mode, long leaseMillis) {
        public static final long DEFAULT_LEASE_MILLIS = 10_000;
        /** A restore waits for it, within its own limit of ten minutes, and later leases of the VM are no shorter. */
        private static final long LONGEST_LEASE_MILLIS = 300_000;

        public static final Owners IN_THE_STORE = new Owners(Optional.empty(), Ownership.STRICT, DEFAULT_LEASE_MILLIS);

        public Owners {
            registry = registry == null ? Optional.empty() : registry;
            mode = mode == null ? Ownership.STRICT : mode;
            leaseMillis = leaseMillis == 0 ? DEFAULT_LEASE_MILLIS : leaseMillis;
            if (leaseMillis < LeaseTerms.SHORTEST_MILLIS) {
                throw new IllegalArgumentException("a lease of " + leaseMillis
                        + " ms is too short to be renewed in time: use " + LeaseTerms.SHORTEST_MILLIS + " or more");
            }
            if (leaseMillis > LONGEST_LEASE_MILLIS) {
                throw new IllegalArgumentException("a lease of " + leaseMillis
                        + " ms would keep a restore waiting for as long: use " + LONGEST_LEASE_MILLIS + " or less");
            }
        }

        /** Absent in strict mode. */
        Optional<LeaseTerms> lease() {
            return mode == Ownership.LEASE ? Optional.of(LeaseTerms.of(leaseMillis)) : Optional.empty();
        }
    }

    /** A listening address; port 0 picks one, told by {@code status}. */
    public record Receive(String address, int port) {}

    /** PEM files: the fleet's authority, this host's certificate and key. Absent only with {@code --insecure}. */
    public record Tls(String authority, String certificate, String key) {}
}
