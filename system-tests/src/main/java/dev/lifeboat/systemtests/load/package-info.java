// SPDX-License-Identifier: Apache-2.0
/** The client of the demo: one Redis connection under load that remembers what it was promised. */
package dev.lifeboat.systemtests.load;
