// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.s3server;

import java.nio.file.Path;
import java.util.List;

/** The S3 server as a process of its own: {@code S3ServerMain HOST PORT DIRECTORY BUCKET...}. Ends with SIGTERM. */
public final class S3ServerMain {

    private S3ServerMain() {}

    public static void main(String[] args) throws Exception {
        if (args.length < 4) {
            System.err.println("usage: S3ServerMain HOST PORT DIRECTORY BUCKET...");
            System.exit(2);
        }
        List<String> buckets = List.of(args).subList(3, args.length);
        S3TestServer server = S3TestServer.start(args[0], Integer.parseInt(args[1]), Path.of(args[2]), buckets);
        System.out.println("S3 server ready at " + server.endpoint());
        // Jetty's threads keep the process alive.
    }
}
