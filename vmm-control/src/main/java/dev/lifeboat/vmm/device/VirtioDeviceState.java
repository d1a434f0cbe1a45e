// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;

/** What one kind of virtio device keeps beside its queues and transport. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
@JsonSubTypes({
    @JsonSubTypes.Type(value = VirtioBlockState.class, name = "block"),
    @JsonSubTypes.Type(value = VirtioNetState.class, name = "net"),
    @JsonSubTypes.Type(value = VirtioRngState.class, name = "rng"),
})
public sealed interface VirtioDeviceState permits VirtioBlockState, VirtioNetState, VirtioRngState {
    int version();
}
