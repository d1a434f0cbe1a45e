// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import java.net.InetSocketAddress;

/**
 * Where a VM shall go.
 *
 * @param target where the target listens
 * @param targetName the host name that the target's certificate must carry
 * @param deadlineMillis wall clock, when this host goes away; {@link Long#MAX_VALUE} when it does not
 */
public record EvacuationRequest(InetSocketAddress target, String targetName, long deadlineMillis) {}
