// SPDX-License-Identifier: Apache-2.0
/** Stand-ins for the cloud around a spot host. */
package dev.lifeboat.systemtests.cloud;
