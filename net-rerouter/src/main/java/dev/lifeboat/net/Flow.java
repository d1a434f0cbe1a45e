// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import java.net.InetAddress;

/**
 * Where a guest's frames go.
 *
 * @param mac the guest's Ethernet address
 * @param vtep underlay address of the host that runs it
 */
public record Flow(MacAddress mac, InetAddress vtep) {}
