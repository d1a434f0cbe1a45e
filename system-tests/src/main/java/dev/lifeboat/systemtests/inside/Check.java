// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

/** Assertions for programs that carry no test library. */
final class Check {
    private Check() {}

    static void that(boolean condition, String message) {
        if (!condition) {
            throw new AssertionError(message);
        }
    }
}
