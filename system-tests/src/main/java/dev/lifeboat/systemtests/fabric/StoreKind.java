// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

/** Where epochs go: {@code s3}, a server on the gateway, or {@code dir}, a directory that all hosts reach. */
public enum StoreKind {
    S3,
    DIR
}
