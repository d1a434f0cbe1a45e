// SPDX-License-Identifier: Apache-2.0
/** What the operating system of a host says about its own end, on any cloud. */
package dev.lifeboat.control.cloud.host;
