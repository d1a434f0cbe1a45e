// SPDX-License-Identifier: Apache-2.0
/**
 * Clouds: what a host hears of its end, where its VMs can go, and what of a cloud's network and disks follows them.
 *
 * <p>Here are the words that all clouds share, and no SDK: agents only listen to metadata services, with sub-packages
 * {@code aws}, {@code azure} and {@code google} for their shapes. What needs a cloud's SDK is a {@link
 * dev.lifeboat.control.cloud.CloudProvider} in a jar of its own ({@code vmm-control/cloud-*}), loaded by controllers and
 * commands only, never by a {@code vmm} process.
 */
package dev.lifeboat.control.cloud;
