// SPDX-License-Identifier: Apache-2.0
/** Instance metadata services of the three clouds: strict about requests, with a clock and faults that tests own. */
package dev.lifeboat.cloudfakes.metadata;
