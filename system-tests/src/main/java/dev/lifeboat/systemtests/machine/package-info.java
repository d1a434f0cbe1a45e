// SPDX-License-Identifier: Apache-2.0
/** One emulated machine: a QEMU process with a bounded life, a shell on it, and its configuration overlay. */
package dev.lifeboat.systemtests.machine;
