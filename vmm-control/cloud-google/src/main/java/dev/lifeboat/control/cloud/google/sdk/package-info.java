// SPDX-License-Identifier: Apache-2.0
/** The cloud's SDK behind {@link dev.lifeboat.control.cloud.Cloud}. */
package dev.lifeboat.control.cloud.google.sdk;
