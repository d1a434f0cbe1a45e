// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.metadata;

import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;

/** The metadata service of one spot instance of some cloud, as far as all of them are alike. Any thread. */
public interface CloudMetadata extends AutoCloseable {
    int port();

    /** The instance will be taken away at {@code deadline}: told in the cloud's own way. */
    void announce(Instant deadline);

    /** What was announced is taken back. */
    void withdraw();

    /** The instance is likely to be taken away; no time is known. */
    void hint();

    /** How often somebody has read the notice. */
    int noticesRead();

    @Override
    void close();

    /** @param cloud {@code aws}, {@code azure} or {@code gcp} */
    static CloudMetadata start(String cloud, InstantSource clock) throws IOException {
        return switch (cloud) {
            case "aws" -> AwsMetadata.start(clock);
            case "azure" -> AzureMetadata.start(clock);
            case "gcp" -> GoogleMetadata.start(clock);
            default -> throw new IllegalArgumentException("no metadata service of a cloud named " + cloud);
        };
    }
}
