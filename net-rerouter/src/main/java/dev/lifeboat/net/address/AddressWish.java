// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net.address;

/**
 * @param way how: {@code secondary-ip}, {@code prefix}, {@code route}, {@code elastic-ip}, {@code interface} (AWS);
 *     {@code ip-configuration}, {@code route}, {@code load-balancer} (Azure); {@code alias}, {@code route},
 *     {@code garp-leader} (Google Cloud)
 * @param address an address, or a range in CIDR notation
 * @param from instance that has it now
 * @param to instance that shall have it
 */
public record AddressWish(String way, String address, String from, String to) {}
