// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;

/** A growing file in pieces, for {@code logs} and {@code console}. */
final class FileTail {
    private static final int MAX_BYTES = 65_536;

    private FileTail() {}

    /**
     * @param from offset; negative counts from the end
     * @return {@code from}, {@code next} and the bytes between as {@code base64}
     */
    static ObjectNode read(Path file, long from) throws IOException {
        if (!Files.exists(file)) {
            return Json.MAPPER.createObjectNode().put("from", 0).put("next", 0).put("base64", "");
        }
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "r")) {
            long length = open.length();
            long start = from < 0 ? Math.max(0, length + from) : Math.min(from, length);
            byte[] piece = new byte[(int) Math.min(MAX_BYTES, length - start)];
            open.seek(start);
            open.readFully(piece);
            return Json.MAPPER
                    .createObjectNode()
                    .put("from", start)
                    .put("next", start + piece.length)
                    .put("base64", piece);
        }
    }
}
