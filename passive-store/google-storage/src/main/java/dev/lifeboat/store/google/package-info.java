// SPDX-License-Identifier: Apache-2.0
/** The passive store on Google Cloud Storage: {@code gs://bucket/prefix}. */
package dev.lifeboat.store.google;
