// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Writes an epoch's memory and disks as raw images, sparse where they are zero. Never over a file that is there; a file
 * that could not be completed is removed. Used by one thread.
 */
public final class EpochExport {
    private final ObjectStore store;
    private final Optional<KeyWrapper> key;

    /** @param key of an encrypted VM */
    public EpochExport(ObjectStore store, Optional<KeyWrapper> key) {
        this.store = store;
        this.key = key;
    }

    /**
     * A file that was written.
     *
     * @param space {@code memory} or {@code disk N}
     * @param writtenBytes without the holes
     */
    public record Image(String space, String file, long lengthBytes, long writtenBytes) {}

    /** What was exported. */
    public record Result(String vmId, long epoch, List<Image> images) {}

    /**
     * @param epoch the newest whole one when absent
     * @param memory where guest memory goes, in the VM's dense page numbers (docs/store-format.md)
     * @param disks where disks go, in their order; fewer than the VM has are allowed
     * @throws NotInStoreException when there is no such VM or epoch
     */
    public Result export(String vmId, Optional<Long> epoch, Optional<Path> memory, List<Path> disks) {
        DefaultVmStore vm = new DefaultVmStore(store, vmId, StoreSettings.DEFAULT, key);
        EpochManifest manifest = epoch.flatMap(vm::epoch)
                .or(() -> epoch.isPresent() ? Optional.empty() : vm.newestWhole())
                .orElseThrow(() -> notThere(vmId, epoch));
        if (disks.size() > manifest.disks().size()) {
            throw new StoreException("VM " + vmId + " has " + manifest.disks().size() + " disks in epoch "
                    + manifest.epoch() + ", and " + disks.size() + " files are named for disks: leave some out");
        }
        List<Image> images = new ArrayList<>();
        memory.ifPresent(file -> images.add(write(vm, manifest, VmShape.MEMORY, file)));
        for (int disk = 0; disk < disks.size(); disk++) {
            images.add(write(vm, manifest, 1 + disk, disks.get(disk)));
        }
        return new Result(vmId, manifest.epoch(), images);
    }

    private NotInStoreException notThere(String vmId, Optional<Long> epoch) {
        VmObjects objects = VmObjects.list(store, vmId);
        if (objects.isEmpty()) {
            return NotInStoreException.vm(vmId, store);
        }
        Keys keys = new Keys(vmId);
        List<Long> numbers = objects.manifests().stream()
                .map(entry -> keys.epochOf(entry.key()).orElseThrow())
                .toList();
        return NotInStoreException.epoch(vmId, epoch, store, numbers);
    }

    private Image write(DefaultVmStore vm, EpochManifest manifest, int space, Path file) {
        String name = VmShape.name(space);
        if (Files.exists(file)) {
            throw isThere(file);
        }
        long lengthBytes = manifest.shape().pages(space) * RunCodec.PAGE_BYTES;
        boolean complete = false;
        try (FileChannel channel = create(manifest, space, file)) {
            try {
                VmStore.RestoreStats stats = vm.restore(
                        manifest,
                        space,
                        (firstPage, count, content) ->
                                writeAt(channel, file, firstPage * RunCodec.PAGE_BYTES, content));
                if (lengthBytes > 0 && channel.size() < lengthBytes) {
                    // One byte at the end makes the hole before it.
                    channel.write(ByteBuffer.allocate(1), lengthBytes - 1);
                }
                channel.force(true);
                complete = true;
                return new Image(name, file.toString(), lengthBytes, stats.pages() * RunCodec.PAGE_BYTES);
            } finally {
                if (!complete) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (FileAlreadyExistsException e) {
            throw isThere(file);
        } catch (IOException e) {
            throw new StoreException(
                    "cannot write " + name + " of VM " + manifest.vmId() + " to " + file + ": "
                            + (e.getClass() == IOException.class ? e.getMessage() : e.toString()),
                    e);
        }
    }

    /** Of a disk with a base image it is that image, which the epoch's blocks then change. */
    private FileChannel create(EpochManifest manifest, int space, Path file) throws IOException {
        if (!manifest.shape().hasBase(space)) {
            return FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        }
        String image = manifest.disks().get(space - 1).baseImage().orElseThrow();
        new BaseImages(store).fetch(image, file);
        return FileChannel.open(file, StandardOpenOption.WRITE);
    }

    private static StoreException isThere(Path file) {
        return new StoreException(
                "the file " + file + " is there already, and export never writes over one: name another");
    }

    private static void writeAt(FileChannel channel, Path file, long offset, ByteBuffer content) {
        try {
            ByteBuffer rest = content.duplicate();
            long at = offset;
            while (rest.hasRemaining()) {
                at += channel.write(rest, at);
            }
        } catch (IOException e) {
            throw new StoreException("cannot write to " + file + ": " + e.getMessage() + "; is the disk full?", e);
        }
    }
}
