// SPDX-License-Identifier: Apache-2.0
/**
 * Emulated spot hosts, gateway and client (QEMU processes on a programmable switch), what the demo needs around them
 * (metadata service, S3 server, load client), and the demo itself. Nothing of it is part of the product.
 */
package dev.lifeboat.systemtests;
