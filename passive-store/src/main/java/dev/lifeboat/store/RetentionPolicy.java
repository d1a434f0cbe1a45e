// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * Which epochs stay besides the newest: the last few, and those whose cut is not long ago. With no time given, epochs
 * before the newest go early when the VM would exceed its share of the store (docs/store-format.md, "Size").
 *
 * @param keepLast at least 1; more than one leaves a whole epoch behind one that gets damaged
 * @param keepForMillis 0 when the age of an epoch does not matter
 */
public record RetentionPolicy(int keepLast, long keepForMillis) {
    public static final RetentionPolicy DEFAULT = new RetentionPolicy(4, 0);

    public RetentionPolicy {
        if (keepLast < 1 || keepForMillis < 0) {
            throw new IllegalArgumentException("keep at least the last epoch, not " + keepLast + ", for at least 0 ms");
        }
    }

    boolean goesEarly() {
        return keepForMillis == 0;
    }
}
