// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.LogSetup;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Starts {@code vmm} processes as this process was started: same Java, same class path, same JVM flags, same working
 * directory (so that relative paths and a class-data archive, which compares the class path as text, go on to fit). The
 * environment goes along, and with it the store's credentials.
 */
public final class VmmLauncher {
    /** The main class of one microVM. */
    public static final String VMM_MAIN = "dev.lifeboat.vmm.VmmProcess";

    private static final Set<String> CLASS_PATH_FLAGS = Set.of("-cp", "-classpath", "--class-path");
    private static final Set<String> FLAGS_WITH_A_VALUE =
            Set.of("-cp", "-classpath", "--class-path", "--add-opens", "--add-exports", "--add-modules", "-p");

    private final List<String> command;

    /**
     * @param mainClass {@link #VMM_MAIN}; tests take another
     * @param extraFlags JVM flags after the inherited ones
     */
    public VmmLauncher(String mainClass, List<String> extraFlags) {
        List<String> words = new ArrayList<>();
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(inheritedFlags());
        if (System.getProperty(LogSetup.LEVEL) != null) {
            words.add("-D" + LogSetup.LEVEL + "=" + System.getProperty(LogSetup.LEVEL));
        }
        words.addAll(extraFlags);
        if (words.stream().noneMatch(word -> word.startsWith("@") || CLASS_PATH_FLAGS.contains(word))) {
            words.add("-cp");
            words.add(System.getProperty("java.class.path"));
        }
        words.add(mainClass);
        command = List.copyOf(words);
    }

    /** Starts one; its output goes to {@code log}. */
    public Process start(Path config, Path log) {
        return start("--config", config, log, ProcessBuilder.Redirect.from(new File("/dev/null")));
    }

    /** Starts one that waits on its standard input for the path of its configuration. */
    Process startSpare(Path spareConfig, Path log) {
        return start("--spare", spareConfig, log, ProcessBuilder.Redirect.PIPE);
    }

    private Process start(String option, Path config, Path log, ProcessBuilder.Redirect input) {
        List<String> words = new ArrayList<>(command);
        words.add(option);
        words.add(config.toString());
        try {
            return new ProcessBuilder(words)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .redirectInput(input)
                    .start();
        } catch (IOException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot start a vmm process with " + words.get(0) + ": " + e.getMessage(), e);
        }
    }

    /**
     * The JVM flags this process was started with, from /proc/self/cmdline (proc(5)): no management classes, which a
     * small runtime may lack. Flags of the environment (JDK_JAVA_OPTIONS) reach the child by the environment.
     */
    private static List<String> inheritedFlags() {
        String[] words;
        try {
            words = Files.readString(Path.of("/proc/self/cmdline"), StandardCharsets.UTF_8)
                    .split("\0");
        } catch (IOException e) {
            throw new ControlException(ExitCode.FAILED, "cannot read /proc/self/cmdline: " + e.getMessage(), e);
        }
        return jvmFlags(List.of(words));
    }

    /** The flags between {@code java} and the main class, as they were given; argument files stay argument files. */
    static List<String> jvmFlags(List<String> words) {
        List<String> flags = new ArrayList<>();
        for (int i = 1; i < words.size(); i++) {
            String word = words.get(i);
            if (FLAGS_WITH_A_VALUE.contains(word) && i + 1 < words.size()) {
                flags.add(word);
                flags.add(words.get(++i));
            } else if (word.equals("-jar") || word.equals("-m") || !(word.startsWith("-") || word.startsWith("@"))) {
                break;
            } else if (!word.startsWith("-agentlib:jdwp") && !word.startsWith("-D" + LogSetup.LEVEL)) {
                flags.add(word);
            }
        }
        return flags;
    }
}
