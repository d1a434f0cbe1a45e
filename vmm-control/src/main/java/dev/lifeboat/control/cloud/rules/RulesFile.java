// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The rules of a file, read again when it has changed. A file that is wrong changes nothing: the rules of before stay, and
 * that is told once. Thread-safe.
 */
public final class RulesFile {
    private final Optional<Path> file;
    private final Consumer<String> onRead;
    private final Consumer<String> onError;

    // Guarded by this.
    private Rules rules = Rules.DEFAULT;
    private String seen = "";

    /** @param file absent: the default rules, for good */
    public RulesFile(Optional<Path> file, Consumer<String> onRead, Consumer<String> onError) {
        this.file = file;
        this.onRead = onRead;
        this.onError = onError;
    }

    public synchronized Rules current() {
        file.ifPresent(this::refresh);
        return rules;
    }

    private void refresh(Path path) {
        String now = mark(path);
        if (now.equals(seen)) {
            return;
        }
        seen = now;
        try {
            rules = Rules.read(path);
            onRead.accept(path + ": " + rules.rules().size() + " rules");
        } catch (IllegalArgumentException e) {
            onError.accept(e.getMessage() + "; the rules of before stay");
        }
    }

    /** What differs when the file does. */
    private static String mark(Path path) {
        try {
            BasicFileAttributes about = Files.readAttributes(path, BasicFileAttributes.class);
            return about.lastModifiedTime() + " " + about.size() + " " + about.fileKey();
        } catch (IOException e) {
            return "cannot be read: " + e;
        }
    }
}
