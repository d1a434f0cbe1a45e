// SPDX-License-Identifier: Apache-2.0
/** The network between emulated machines: a switch with faults on demand, recorders, and readers of recordings. */
package dev.lifeboat.systemtests.net;
