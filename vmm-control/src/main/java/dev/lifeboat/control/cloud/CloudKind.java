// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.util.Locale;
import java.util.Optional;

/** A cloud, by the name that {@code --cloud} takes. */
public enum CloudKind {
    AWS("aws"),
    AZURE("azure"),
    GOOGLE("gcp");

    private final String word;

    CloudKind(String word) {
        this.word = word;
    }

    public String word() {
        return word;
    }

    public static Optional<CloudKind> of(String word) {
        String wanted = word.toLowerCase(Locale.ROOT);
        for (CloudKind kind : values()) {
            if (kind.word.equals(wanted)) {
                return Optional.of(kind);
            }
        }
        return Optional.empty();
    }
}
