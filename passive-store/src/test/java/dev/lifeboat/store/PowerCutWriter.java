// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.Random;

/**
 * The process that {@link PowerCutTest} kills: goes on from the newest epoch of a store, writes epoch after epoch, and
 * says on its standard output what it is about to commit and what it has committed, by the checksum of the memory.
 */
final class PowerCutWriter {
    static final int PAGES = 64;
    static final String VM = "vm-1";
    /** Several segments per epoch, and compactions. */
    static final StoreSettings SETTINGS =
            new StoreSettings(80 * 1024, 128 * 1024, 2, 1, new RetentionPolicy(3, 0), true, 2, 60_000, 60_000, 30_000);

    private PowerCutWriter() {}

    /** Arguments: URL of the store, term, seed, number of epochs. */
    public static void main(String[] arguments) {
        long term = Long.parseLong(arguments[1]);
        Random random = new Random(Long.parseLong(arguments[2]));
        ModelVm model = new ModelVm(PAGES).withDeltas(random);
        try (ObjectStore objects = ObjectStores.open(arguments[0], Optional.empty(), Optional.empty())) {
            DefaultVmStore store = new DefaultVmStore(objects, VM, SETTINGS);
            OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, VM, term, "host", "nonce-" + term, 1);
            if (!store.owners().claim(owner).equals(owner)) {
                throw new StoreException("term " + term + " is not mine");
            }
            store.newestWhole().ifPresent(newest -> model.startFrom(contents(store, newest)));
            try (EpochWriter writer = store.writer(owner, VmShape.ofMemory(PAGES))) {
                for (int epoch = Integer.parseInt(arguments[3]); epoch > 0; epoch--) {
                    model.write(random, 1 + random.nextInt(40));
                    model.append(writer);
                    int checksum = checksum(model.memory);
                    say("begins " + checksum);
                    model.commit(writer);
                    say("has " + checksum);
                }
            }
        }
    }

    static byte[] contents(VmStore store, EpochManifest manifest) {
        byte[] memory = new byte[PAGES * ModelVm.PAGE];
        store.restore(
                manifest,
                (first, count, content) -> content.get(0, memory, (int) first * ModelVm.PAGE, count * ModelVm.PAGE));
        return memory;
    }

    static int checksum(byte[] memory) {
        return RunCodec.crc32c(ByteBuffer.wrap(memory));
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
