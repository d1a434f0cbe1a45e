// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.Signal;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/** Rules in their order: the first that fits counts; {@link #DEFAULT} comes after all of them. Immutable. */
public record Rules(List<Rule> rules) {
    /**
     * A notice or a shutdown is acted upon. Two thirds of the hints come to nothing: they cost a target at most. Prices
     * and placements say nothing about this host, so that the streaming rate stays.
     */
    public static final Rules DEFAULT = new Rules(List.of(
            Rule.of(Signal.Kind.NOTICE, "*", Reaction.EVACUATE),
            Rule.of(Signal.Kind.SHUTDOWN, "*", Reaction.EVACUATE),
            Rule.of(Signal.Kind.HINT, "price*", Reaction.WARM_TARGET),
            Rule.of(Signal.Kind.HINT, "placement*", Reaction.WARM_TARGET),
            Rule.of(Signal.Kind.HINT, "*", Reaction.WARM_TARGET, Reaction.RAISE_STREAMING_RATE)));

    /** @param priority VMs with a higher one leave first */
    public record Decision(Set<Reaction> reactions, int priority) {
        public boolean includes(Reaction reaction) {
            return reactions.contains(reaction);
        }
    }

    public Rules {
        if (rules == null || rules.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException("\"rules\" must be a list of rules");
        }
        rules = List.copyOf(rules);
    }

    /**
     * @throws IllegalArgumentException with one line: the file, the line in it, and what is wrong there
     */
    public static Rules read(Path file) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new IllegalArgumentException("no rules file at " + file, e);
        } catch (IOException e) {
            throw new IllegalArgumentException("cannot read the rules file " + file + ": " + e.getMessage(), e);
        }
        try {
            Rules read = Json.MAPPER.readValue(bytes, Rules.class);
            if (read == null) {
                throw new IllegalArgumentException(file + ", line 1: null, not an object with \"rules\"");
            }
            return read;
        } catch (JsonProcessingException e) {
            String line =
                    e.getLocation() == null ? "" : ", line " + e.getLocation().getLineNr();
            throw new IllegalArgumentException(file + line + ": " + Json.explain(e), e);
        } catch (IOException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    public Decision decide(Signal signal, Optional<CloudKind> cloud, String vmId) {
        for (Rules source : List.of(this, DEFAULT)) {
            for (Rule rule : source.rules()) {
                if (rule.fits(signal, cloud, vmId)) {
                    return new Decision(rule.set(), rule.priority().orElse(0));
                }
            }
        }
        throw new IllegalStateException("the default rules fit every signal, but not " + signal);
    }
}
