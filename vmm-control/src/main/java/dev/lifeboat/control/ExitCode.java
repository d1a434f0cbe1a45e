// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control;

/** What a command's exit code means (docs/operations.md). */
public final class ExitCode {
    public static final int OK = 0;
    /** The thing asked for was tried and failed. */
    public static final int FAILED = 1;
    /** The command line or a configuration file is wrong. */
    public static final int USAGE = 2;
    /** No agent answers at the address. */
    public static final int UNREACHABLE = 3;
    /** The other side is not of this fleet, or does not take us for one of it (TLS). */
    public static final int NOT_TRUSTED = 4;
    /** No such VM, host, evacuation or epoch. */
    public static final int NOT_FOUND = 5;
    /** This machine lacks something: a device, a permission, a tool, a free port. */
    public static final int MISSING = 6;

    private ExitCode() {}
}
