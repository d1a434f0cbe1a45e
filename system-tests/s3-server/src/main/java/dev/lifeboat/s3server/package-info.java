// SPDX-License-Identifier: Apache-2.0
/** A real S3 server (S3Proxy) with fixed settings, for the demo's gateway machine and for the store's tests. */
package dev.lifeboat.s3server;
