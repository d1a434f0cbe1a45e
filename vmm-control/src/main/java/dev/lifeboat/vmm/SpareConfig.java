// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import java.util.Optional;

/**
 * What a spare {@code vmm} process (docs/protocol.md) is told before its VM is known, read from a JSON file.
 *
 * @param host this host's name in the fleet
 * @param store that its VM will be streamed to
 * @param tls of this host
 * @param besideGuests whether guests run on the host already: then it leaves them the processors
 */
public record SpareConfig(
        String host, Optional<VmmConfig.Store> store, Optional<VmmConfig.Tls> tls, boolean besideGuests) {}
