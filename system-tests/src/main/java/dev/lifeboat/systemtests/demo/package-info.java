// SPDX-License-Identifier: Apache-2.0
/** {@code lifeboat demo}: a Redis guest outlives its host, step by step, with everything checked. */
package dev.lifeboat.systemtests.demo;
