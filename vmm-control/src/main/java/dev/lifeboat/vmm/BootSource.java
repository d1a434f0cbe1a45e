// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import java.nio.file.Path;
import java.util.Optional;

/**
 * What to boot.
 *
 * @param kernel a bzImage
 * @param commandLine the user's; options that the monitor needs are added unless they are there, see boot.CommandLine
 */
public record BootSource(Path kernel, Optional<Path> initrd, String commandLine) {}
