// SPDX-License-Identifier: Apache-2.0
/** What a Compute Engine instance hears from its metadata server. */
package dev.lifeboat.control.cloud.google;
