// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.FaultProxy.Fault;
import dev.lifeboat.store.Trouble.Place;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;

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

    @Override
    default List<Trouble> troubles() {
        return List.of(
                trouble("a few 503", 2, Fault.BUSY),
                trouble("a burst of 503", 5, Fault.BUSY),
                trouble("a connection that is gone before the request", 2, Fault.CUT_BEFORE),
                trouble("a connection cut in the middle of an upload", 2, Fault.CUT_IN_UPLOAD),
                trouble("connections cut in the middle of every upload", 5, Fault.CUT_IN_UPLOAD),
                trouble("a connection cut after the commit", 1, Fault.CUT_AFTER_COMMIT),
                // It lasts as long as the client's patience; the manifest is where the outcome matters.
                new Trouble(
                        "no answer after the commit",
                        Set.of(Place.MANIFEST),
                        place -> faults().onUploads(place.part, Fault.SILENT_AFTER_COMMIT)),
                trouble("an error after the commit", 1, Fault.ERROR_AFTER_COMMIT),
                trouble("409", 2, Fault.CONFLICT),
                trouble("412 for nothing", 2, Fault.FALSE_PRECONDITION),
                trouble("a slow request", 2, Fault.SLOW),
                new Trouble("a slow shard", place -> faults().slowShard(place.part)));
    }

    private Trouble trouble(String name, int times, Fault fault) {
        return new Trouble(
                name,
                place -> faults().onUploads(
                                place.part, Collections.nCopies(times, fault).toArray(Fault[]::new)));
    }

    @Override
    default boolean hasStruck() {
        return faults().hasStruck();
    }

    @Override
    default void calm() {
        faults().clear();
    }
}
