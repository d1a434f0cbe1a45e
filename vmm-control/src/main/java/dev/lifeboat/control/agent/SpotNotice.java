// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

/**
 * The cloud takes this host away.
 *
 * @param action as the cloud says: terminate, stop or hibernate
 * @param deadlineMillis epoch milliseconds by this host's clock; already corrected when the cloud's clock differs
 * @param clockSkewMillis the cloud's clock minus this host's; 0 when within what a Date header can tell
 */
public record SpotNotice(String action, long deadlineMillis, long clockSkewMillis) {}
