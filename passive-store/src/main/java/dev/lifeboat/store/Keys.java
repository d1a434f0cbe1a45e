// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/** The names of a VM's objects (docs/store-format.md), made and read in one place. */
final class Keys {
    private static final Pattern KEY = Pattern.compile("[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*");
    private static final Pattern VM_ID = Pattern.compile("[a-z0-9][a-z0-9-]{0,62}");
    private static final Pattern NUMBER = Pattern.compile("[0-9]{19}");

    /** Of segments and checkpoints. */
    private static final Pattern UNIQUE = Pattern.compile("[0-9]{19}-[0-9]+-[0-9a-f]+");

    static final String ALL_VMS = "vm/";

    private final String root;

    Keys(String vmId) {
        if (!VM_ID.matcher(vmId).matches()) {
            throw new StoreException("'" + vmId + "' is no VM id: use 1 to 63 of a-z, 0-9 and '-', not '-' first");
        }
        root = ALL_VMS + vmId + "/";
    }

    /** The VM that a key belongs to, if its name can be one's. */
    static Optional<String> vmIdOf(String key) {
        int end = key.indexOf('/', ALL_VMS.length());
        if (!key.startsWith(ALL_VMS) || end < 0) {
            return Optional.empty();
        }
        return Optional.of(key.substring(ALL_VMS.length(), end))
                .filter(id -> VM_ID.matcher(id).matches());
    }

    String prefix() {
        return root;
    }

    String ownerPrefix() {
        return root + "owner/";
    }

    String owner(long term) {
        return ownerPrefix() + number(term);
    }

    OptionalLong termOf(String key) {
        return numberAfter(ownerPrefix(), key);
    }

    String epochPrefix() {
        return root + "epoch/";
    }

    String epoch(long epoch) {
        return epochPrefix() + number(Long.MAX_VALUE - epoch);
    }

    OptionalLong epochOf(String key) {
        OptionalLong inverted = numberAfter(epochPrefix(), key);
        return inverted.isPresent() ? OptionalLong.of(Long.MAX_VALUE - inverted.getAsLong()) : inverted;
    }

    String segmentPrefix() {
        return root + "seg/";
    }

    String segment(long epoch, long n, String nonce) {
        return segmentPrefix() + unique(epoch, n, nonce);
    }

    boolean isSegment(String key) {
        return isUnique(segmentPrefix(), key);
    }

    String checkpoint(long epoch, long n, String nonce) {
        return checkpointPrefix() + unique(epoch, n, nonce);
    }

    String checkpointPrefix() {
        return root + "checkpoint/";
    }

    boolean isCheckpoint(String key) {
        return isUnique(checkpointPrefix(), key);
    }

    private static String unique(long epoch, long n, String nonce) {
        return number(epoch) + "-" + n + "-" + nonce;
    }

    private static boolean isUnique(String prefix, String key) {
        return key.startsWith(prefix)
                && UNIQUE.matcher(key.substring(prefix.length())).matches();
    }

    String readerPrefix() {
        return root + "reader/";
    }

    String reader(String nonce) {
        return readerPrefix() + nonce;
    }

    String workingSet() {
        return root + "working-set";
    }

    String dataKey(int number) {
        return dataKeyPrefix() + number;
    }

    String dataKeyPrefix() {
        return root + "key/";
    }

    /** Refuses what one of the back ends could take for something else than a plain name under its root. */
    static String check(String key) {
        if (!KEY.matcher(key).matches() || ("/" + key + "/").contains("/../") || ("/" + key + "/").contains("/./")) {
            throw new IllegalArgumentException("'" + key + "' is not a key of [A-Za-z0-9._/-]");
        }
        return key;
    }

    private static String number(long number) {
        return String.format("%019d", number);
    }

    private static OptionalLong numberAfter(String prefix, String key) {
        if (!key.startsWith(prefix)) {
            return OptionalLong.empty();
        }
        String digits = key.substring(prefix.length());
        if (!NUMBER.matcher(digits).matches() || digits.compareTo(number(Long.MAX_VALUE)) > 0) {
            return OptionalLong.empty();
        }
        return OptionalLong.of(Long.parseLong(digits));
    }
}
