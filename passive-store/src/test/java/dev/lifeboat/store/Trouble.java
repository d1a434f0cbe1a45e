// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.EnumSet;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Something that goes wrong while a store is written, until {@link BackEnd#calm}.
 *
 * @param places where it is worth the time it takes
 * @param begin makes it happen to what is written at that place from now on
 */
public record Trouble(String name, Set<Place> places, Consumer<Place> begin) {
    public Trouble(String name, Consumer<Place> begin) {
        this(name, EnumSet.allOf(Place.class), begin);
    }

    /** What is being written. */
    public enum Place {
        SEGMENT("seg", "LBSEGMNT"),
        MANIFEST("epoch", "LBEPOCH1"),
        CHECKPOINT("checkpoint", "LBCHKPT1"),
        OWNER("owner", "LBOWNER1");

        /** Between the slashes of its keys. */
        final String part;

        final String magic;

        Place(String part, String magic) {
            this.part = part;
            this.magic = magic;
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
