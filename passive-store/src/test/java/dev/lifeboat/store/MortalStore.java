// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;

/** A store whose user dies, or that something else happens to, at a certain operation. */
final class MortalStore {
    private MortalStore() {}

    /**
     * Throws a {@link StoreException} "dead" at operation {@code operations} and ever after.
     *
     * @param lastTakesEffect whether the operation it dies at is done
     */
    static ObjectStore of(ObjectStore objects, int operations, boolean lastTakesEffect) {
        AtomicInteger left = new AtomicInteger(operations);
        return through(objects, (now) -> {
            int ahead = left.decrementAndGet();
            if (ahead < 0 || ahead == 0 && !lastTakesEffect) {
                throw new StoreException("dead");
            }
            return () -> {
                if (ahead == 0) {
                    throw new StoreException("dead");
                }
            };
        });
    }

    /** Does something else just before operation {@code operation}. */
    static ObjectStore interrupted(ObjectStore objects, int operation, Runnable other) {
        AtomicInteger left = new AtomicInteger(operation);
        return through(objects, now -> {
            if (left.decrementAndGet() == 0) {
                other.run();
            }
            return () -> {};
        });
    }

    private interface Before {
        /** What to do afterwards. */
        Runnable operation(String name);
    }

    private static ObjectStore through(ObjectStore objects, Before before) {
        return (ObjectStore) Proxy.newProxyInstance(
                MortalStore.class.getClassLoader(), new Class<?>[] {ObjectStore.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("describe")) {
                        return objects.describe();
                    }
                    Runnable after = before.operation(method.getName());
                    try {
                        Object result = method.invoke(objects, arguments);
                        after.run();
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
