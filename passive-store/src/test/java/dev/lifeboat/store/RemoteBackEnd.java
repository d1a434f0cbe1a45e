// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.Optional;

/** A back end behind HTTP; its stores reach the server through a {@link FaultProxy}. */
public interface RemoteBackEnd extends BackEnd {
    FaultProxy faults();

    /** The same kind of store at an endpoint where nothing sensible is. */
    ObjectStore openAt(String endpoint);

    /** A store in a bucket or container that does not exist, and the name that an error must say. */
    ObjectStore openMissing(String name);

    /** A store whose credentials the server refuses; empty when this server believes everybody. */
    Optional<ObjectStore> openRefused();

    /** What must be in no message. */
    String secret();
}
