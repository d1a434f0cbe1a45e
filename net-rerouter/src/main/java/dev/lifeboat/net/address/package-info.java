// SPDX-License-Identifier: Apache-2.0
/** Addresses that a cloud delivers, and how they follow a guest to another host. Never inside the blackout. */
package dev.lifeboat.net.address;
