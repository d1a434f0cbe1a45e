// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

/** @param restricted the subscription may not use it here */
public record FakeSize(
        String name, String family, int vcpus, double memoryGib, boolean spotCapable, boolean restricted) {}
