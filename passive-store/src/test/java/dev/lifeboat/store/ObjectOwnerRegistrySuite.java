// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.nio.ByteBuffer;

/** Owner records in a store. */
abstract class ObjectOwnerRegistrySuite extends OwnerRegistrySuite {
    abstract ObjectStore objects() throws Exception;

    @Override
    protected boolean passesForeignKeys() {
        return true;
    }

    @Override
    protected Disturbed open() throws Exception {
        ObjectStore objects = objects();
        FaultyObjects faulty = new FaultyObjects(objects);
        FleetRegistry registry = OwnerRegistries.in(faulty);
        return new Disturbed() {
            @Override
            public FleetRegistry registry() {
                return registry;
            }

            @Override
            public void cutAnswers(int claims) {
                faulty.answersToCut.set(claims);
            }

            @Override
            public int answersToCut() {
                return faulty.answersToCut.get();
            }

            @Override
            public void slow(long millis) {
                faulty.slowMillis = millis;
            }

            @Override
            public void dead(boolean dead) {
                faulty.dead = dead;
            }

            @Override
            public void plantForeignKey(String key) {
                objects.put(key, ByteBuffer.wrap(new byte[] {1, 2, 3}));
            }

            @Override
            public void close() {
                registry.close();
            }
        };
    }
}
