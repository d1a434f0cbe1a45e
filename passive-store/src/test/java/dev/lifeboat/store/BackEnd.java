// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/** A back end as the suites need it: the medium or a server, up and empty, that stores can be opened on. */
public interface BackEnd extends AutoCloseable {
    /** A store in it; every call sees the same objects. */
    ObjectStore open();

    @Override
    void close() throws Exception;
}
