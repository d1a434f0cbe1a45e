// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

/**
 * Marks a picocli command object ({@code @Command} and {@link java.util.concurrent.Callable} of the exit code) that
 * {@link Main} finds by {@link java.util.ServiceLoader} and offers as a subcommand: how a module above this one adds
 * {@code demo}.
 */
public interface LifeboatCommand {}
