// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the page counter in a guest says of itself.
 *
 * @param rounds through the whole buffer
 * @param wrong pages that did not hold what was written to them
 * @param pages of the buffer
 * @param steps pages checked and counted up since the guest's start
 */
record PageCounts(long rounds, long wrong, long pages, long steps) {

    /** Whole lines only: the first and the last line of a console may be cut by a move. */
    private static final Pattern LINE =
            Pattern.compile("page-counter: rounds=(\\d+) wrong=(\\d+) pages=(\\d+) steps=(\\d+)\\s*\\n");

    static Optional<PageCounts> newest(String console) {
        Matcher line = LINE.matcher(console);
        Optional<PageCounts> newest = Optional.empty();
        while (line.find()) {
            newest = Optional.of(new PageCounts(
                    Long.parseLong(line.group(1)),
                    Long.parseLong(line.group(2)),
                    Long.parseLong(line.group(3)),
                    Long.parseLong(line.group(4))));
        }
        return newest;
    }
}
