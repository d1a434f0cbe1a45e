// SPDX-License-Identifier: Apache-2.0
/** Emulated spot hosts, a gateway and a client machine, joined by switches, with the product installed on them. */
package dev.lifeboat.systemtests.fabric;
