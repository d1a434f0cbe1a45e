// SPDX-License-Identifier: Apache-2.0
/** Azure Resource Manager as far as Lifeboat uses it: virtual machines, disks, networks, operations in their own time. */
package dev.lifeboat.cloudfakes.azure;
