// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.boot;

import java.util.List;

/**
 * The kernel command line: the user's, plus what this monitor needs a guest to do unless the user said otherwise.
 * An option is added only when none of the same name is there.
 */
public final class CommandLine {
    /**
     * Reset by the keyboard controller, whose port we have; and if the kernel panics, "warm": the only difference
     * between a reboot and a panic that reaches us, see {@link RebootReason}.
     */
    static final String REBOOT = "reboot=k,panic_warm";

    private static final List<String> DEFAULTS = List.of(
            REBOOT,
            // A panic ends at once instead of never.
            "panic=-1",
            // There is no PCI bus; without this the kernel looks for one, port by port.
            "pci=off",
            // No keyboard or mouse: do not wait for them to answer.
            "i8042.noaux",
            "i8042.nokbd",
            // The clock that KVM can carry to another host; the time stamp counter it often cannot.
            "clocksource=kvm-clock");

    private CommandLine() {}

    public static String complete(String users) {
        // The common spelling says nothing about panics: complete it, else they could not be told from reboots.
        String own = users.strip().replaceAll("(?<=^|\\s)reboot=k(?=\\s|$)", REBOOT);
        String init = "";
        int separator = (" " + own + " ").indexOf(" -- ");
        if (separator >= 0) {
            // What follows "--" is for the init program and stays last.
            init = " " + own.substring(separator);
            own = own.substring(0, separator).strip();
        }
        StringBuilder line = new StringBuilder(own);
        for (String option : DEFAULTS) {
            if (!has(own, option)) {
                line.append(line.length() == 0 ? "" : " ").append(option);
            }
        }
        return line + init;
    }

    private static boolean has(String users, String option) {
        String name = option.contains("=") ? option.substring(0, option.indexOf('=') + 1) : option;
        for (String word : users.strip().split("\\s+")) {
            if (option.contains("=") ? word.startsWith(name) : word.equals(name)) {
                return true;
            }
        }
        return false;
    }
}
