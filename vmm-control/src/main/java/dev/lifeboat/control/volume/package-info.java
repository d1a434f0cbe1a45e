// SPDX-License-Identifier: Apache-2.0
/** Volumes that one host at a time can have: found, checked, mounted, given away. Start at {@code HostVolumes}. */
package dev.lifeboat.control.volume;
