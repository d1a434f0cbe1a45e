// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.List;

/** A back end as the suites need it: the medium or a server, up and empty, that stores can be opened on. */
public interface BackEnd extends AutoCloseable {
    /** A store in it; every call sees the same objects. */
    ObjectStore open();

    /** What can go wrong here while something is written. */
    List<Trouble> troubles();

    /** Whether the trouble that was begun last has hit anything. */
    boolean hasStruck();

    /** Ends all troubles. */
    void calm();

    @Override
    void close() throws Exception;
}
