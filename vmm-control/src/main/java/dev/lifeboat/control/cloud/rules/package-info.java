// SPDX-License-Identifier: Apache-2.0
/** What to do about a signal: rules, the file they come from, and replays of recorded signals. */
package dev.lifeboat.control.cloud.rules;
