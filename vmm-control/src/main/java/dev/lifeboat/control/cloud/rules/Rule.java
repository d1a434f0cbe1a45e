// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.Signal;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * One line of a rules file: which signals for which VMs, and what to do then. What is absent fits everything; {@code *} in
 * a text stands for any characters.
 *
 * @param action of the signal, in any case of letters
 * @param source name of the source
 * @param cloud aws, azure or gcp
 * @param vm name of the VM
 * @param reactions in the file: {@code do}, one or a list
 * @param priority VMs with a higher one leave first; 0 unless set
 */
public record Rule(
        Optional<Signal.Kind> kind,
        Optional<String> action,
        Optional<String> source,
        Optional<String> cloud,
        Optional<String> vm,

        @JsonProperty("do") @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
        List<Reaction> reactions,

        Optional<Integer> priority) {
    public Rule {
        kind = kind == null ? Optional.empty() : kind;
        action = action == null ? Optional.empty() : action;
        source = source == null ? Optional.empty() : source;
        cloud = cloud == null ? Optional.empty() : cloud;
        vm = vm == null ? Optional.empty() : vm;
        priority = priority == null ? Optional.empty() : priority;
        if (reactions == null || reactions.isEmpty() || reactions.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException("a rule needs \"do\": one or a list of " + List.of(Reaction.values()));
        }
        reactions = List.copyOf(reactions);
        if (reactions.contains(Reaction.IGNORE) && reactions.size() > 1) {
            throw new IllegalArgumentException("a rule cannot do something and IGNORE as well");
        }
        if (cloud.isPresent() && CloudKind.of(cloud.get()).isEmpty()) {
            throw new IllegalArgumentException("\"cloud\" must be aws, azure or gcp, not " + cloud.get());
        }
    }

    static Rule of(Signal.Kind kind, String action, Reaction... reactions) {
        return new Rule(
                Optional.of(kind),
                Optional.of(action),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                List.of(reactions),
                Optional.empty());
    }

    boolean fits(Signal signal, Optional<CloudKind> of, String vmId) {
        return kind.map(signal.kind()::equals).orElse(true)
                && action.map(pattern -> fits(pattern, signal.action())).orElse(true)
                && source.map(pattern -> fits(pattern, signal.source())).orElse(true)
                && cloud.map(word -> of.equals(CloudKind.of(word))).orElse(true)
                && vm.map(pattern -> fits(pattern, vmId)).orElse(true);
    }

    Set<Reaction> set() {
        return EnumSet.copyOf(reactions);
    }

    private static boolean fits(String pattern, String text) {
        StringBuilder expression = new StringBuilder();
        for (String part : pattern.split("\\*", -1)) {
            expression.append(expression.length() == 0 ? "" : ".*").append(Pattern.quote(part));
        }
        return Pattern.compile(expression.toString(), Pattern.CASE_INSENSITIVE)
                .matcher(text)
                .matches();
    }
}
