// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.store.BaseImages;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.vmm.device.DiskImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The disks of one VM on this host: opened for a boot, or made anew for a VM that comes from elsewhere and brings their
 * content. Outlives the devices and the streaming that use them. One thread makes it ready; then any thread.
 */
final class VmDisks implements AutoCloseable {
    private final VmmConfig config;
    private final ImageCache cache;
    private final List<DiskImage> disks = new ArrayList<>();

    VmDisks(VmmConfig config) {
        this.config = config;
        cache = new ImageCache(Path.of(config.files().imageCache()));
    }

    /** For a VM that boots: as the user named them. Base images get into the store, so that other hosts can have them. */
    synchronized void open(Optional<ObjectStore> objects) {
        for (VmmConfig.Disk disk : config.disks()) {
            if (disk.path().isPresent()) {
                disks.add(DiskImage.open(disk.path().get(), disk.readOnly()));
            } else {
                Optional<DiskImage.Base> base =
                        disk.base().map(file -> cache.adopt(Path.of(file), objects.map(BaseImages::new)));
                disks.add(DiskImage.create(file(disks.size()), disk.sizeBytes().orElseThrow(), base));
            }
        }
    }

    /** Gets the base images that a VM will need when it comes here. */
    void fetchImages(VmDescription vm, ObjectStore objects) {
        vm.disks().forEach(disk -> disk.baseImage().ifPresent(id -> cache.get(id, new BaseImages(objects))));
    }

    /** For a VM that comes from a store or another host: as it was when it was new; its blocks follow. */
    synchronized void make(VmDescription vm, ObjectStore objects) {
        for (int i = 0; i < config.disks().size(); i++) {
            VmDescription.Disk wanted = vm.disks().get(i);
            if (wanted.readOnly()) {
                DiskImage disk = DiskImage.open(config.disks().get(i).path().orElseThrow(), true);
                disks.add(disk);
                if (disk.sizeBytes() != wanted.sizeBytes()) {
                    throw new VmmException("the read-only disk "
                            + config.disks().get(i).path().orElseThrow() + " has " + disk.sizeBytes()
                            + " bytes, that of the VM " + wanted.sizeBytes() + ": give this host the same disk");
                }
            } else {
                Optional<DiskImage.Base> base = wanted.baseImage().map(id -> cache.get(id, new BaseImages(objects)));
                disks.add(DiskImage.create(file(i), wanted.sizeBytes(), base));
            }
        }
    }

    private String file(int number) {
        return Path.of(config.files().diskDirectory(), "disk-" + number + ".img")
                .toString();
    }

    synchronized DiskImage get(int number) {
        return disks.get(number);
    }

    /** The disks that take part in epochs and moves, in their order. */
    synchronized List<StreamedDisk> streamed() {
        List<StreamedDisk> writable = new ArrayList<>();
        disks.stream().filter(disk -> !disk.readOnly()).forEach(writable::add);
        return writable;
    }

    synchronized List<VmDescription.Disk> describe() {
        return disks.stream()
                .map(disk -> new VmDescription.Disk(disk.readOnly(), disk.sizeBytes(), disk.baseImage()))
                .toList();
    }

    /** Idempotent. */
    @Override
    public synchronized void close() {
        disks.forEach(DiskImage::close);
    }
}
