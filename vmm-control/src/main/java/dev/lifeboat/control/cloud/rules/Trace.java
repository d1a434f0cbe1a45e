// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.SignalMessage;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What sources of hosts reported and what became of the hosts, in the order of time: one JSON object a line in a file.
 * Immutable.
 */
public record Trace(List<Entry> entries) {

    /**
     * One report, or the end of a host.
     *
     * @param atMs from the beginning of the trace
     * @param cloud aws, azure or gcp
     * @param source that reports {@code signals} as all that stands; empty at a host's end
     * @param gone the host is no more
     */
    public record Entry(
            long atMs, String cloud, String host, String source, List<SignalMessage> signals, boolean gone) {
        public Entry {
            if (host == null || cloud == null || CloudKind.of(cloud).isEmpty()) {
                throw new IllegalArgumentException("an entry needs \"host\", and \"cloud\": aws, azure or gcp");
            }
            source = source == null ? "" : source;
            signals = signals == null ? List.of() : List.copyOf(signals);
            if (source.isEmpty() != gone) {
                throw new IllegalArgumentException("an entry has either a \"source\" or \"gone\": true");
            }
        }
    }

    public Trace {
        entries = List.copyOf(entries);
    }

    /**
     * @throws IllegalArgumentException with one line: the file, the line in it, and what is wrong there
     */
    public static Trace read(Path file) {
        List<String> lines;
        try {
            lines = Files.readAllLines(file);
        } catch (NoSuchFileException e) {
            throw new IllegalArgumentException("no trace at " + file, e);
        } catch (IOException e) {
            throw new IllegalArgumentException("cannot read the trace " + file + ": " + e.getMessage(), e);
        }
        List<Entry> entries = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).isBlank()) {
                continue;
            }
            try {
                Entry entry = Json.MAPPER.readValue(lines.get(i), Entry.class);
                if (!entries.isEmpty()
                        && entry.atMs() < entries.get(entries.size() - 1).atMs()) {
                    throw new IllegalArgumentException("it goes back in time");
                }
                entries.add(entry);
            } catch (IOException e) {
                throw new IllegalArgumentException(file + ", line " + (i + 1) + ": " + Json.explain(e), e);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(file + ", line " + (i + 1) + ": " + e.getMessage(), e);
            }
        }
        return new Trace(entries);
    }

    /** As {@link #read} reads it. */
    public String text() {
        StringBuilder text = new StringBuilder();
        for (Entry entry : entries) {
            try {
                text.append(Json.MAPPER.writeValueAsString(entry)).append('\n');
            } catch (JsonProcessingException e) {
                throw new IllegalStateException(e);
            }
        }
        return text.toString();
    }
}
