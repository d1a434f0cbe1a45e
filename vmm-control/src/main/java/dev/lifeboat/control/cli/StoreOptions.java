// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.store.KeyWrapper;
import dev.lifeboat.store.NotInStoreException;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.StoreException;
import java.util.Optional;
import java.util.function.BiFunction;
import picocli.CommandLine.Option;

/** Options of every command that looks into a store itself, without an agent. */
final class StoreOptions {
    @Option(
            names = "--store",
            paramLabel = "URL",
            description = "the store, as in agent.json: dir:/path, s3://bucket/prefix, ... (default: LIFEBOAT_STORE)",
            defaultValue = "${env:LIFEBOAT_STORE}")
    String url;

    @Option(names = "--endpoint", paramLabel = "URL", description = "of a server that is not the cloud's own")
    String endpoint;

    @Option(names = "--region", paramLabel = "NAME", description = "of an S3 bucket (default: the environment's)")
    String region;

    @Option(
            names = "--store-key",
            paramLabel = "KEY",
            description = "of encrypted VMs: file:/path or aws-kms:ARN (default: LIFEBOAT_STORE_KEY)",
            defaultValue = "${env:LIFEBOAT_STORE_KEY}")
    String key;

    @Option(names = "--json", description = "answer in JSON")
    boolean json;

    /** Runs {@code work} on the open store; what the store says of a failure is a line for the user. */
    <T> T with(BiFunction<ObjectStore, Optional<KeyWrapper>, T> work) {
        if (url == null || url.isBlank()) {
            throw new ControlException(
                    ExitCode.USAGE, "which store? Give --store URL, or set LIFEBOAT_STORE, as in --store dir:/path");
        }
        Optional<KeyWrapper> wrapper;
        ObjectStore store;
        try {
            wrapper = Optional.ofNullable(key).filter(text -> !text.isBlank()).map(KeyWrapper::open);
            store = ObjectStores.openExisting(url, Optional.ofNullable(endpoint), Optional.ofNullable(region));
        } catch (StoreException e) {
            throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
        }
        try (store) {
            return work.apply(store, wrapper);
        } catch (NotInStoreException e) {
            throw new ControlException(ExitCode.NOT_FOUND, e.getMessage(), e);
        } catch (StoreException e) {
            throw new ControlException(ExitCode.FAILED, e.getMessage(), e);
        }
    }
}
