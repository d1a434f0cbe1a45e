// SPDX-License-Identifier: Apache-2.0
/** A stand-in for Google Compute Engine's REST API, v1. */
package dev.lifeboat.cloudfakes.google;
