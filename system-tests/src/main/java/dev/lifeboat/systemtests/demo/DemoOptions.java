// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import dev.lifeboat.systemtests.fabric.StoreKind;
import java.nio.file.Path;

/**
 * @param memoryMib of the guest
 * @param loadSeconds under load before the notice
 * @param warningSeconds from the notice to the end of host A
 * @param logs directory for logs and recordings
 */
record DemoOptions(StoreKind store, int memoryMib, int loadSeconds, int warningSeconds, Path logs) {}
