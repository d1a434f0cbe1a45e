// SPDX-License-Identifier: Apache-2.0
/** The passive store on Azure Blob: {@code azblob://account/container/prefix}. */
package dev.lifeboat.store.azure;
