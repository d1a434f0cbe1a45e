// SPDX-License-Identifier: Apache-2.0
/** What an Azure VM hears from Scheduled Events. */
package dev.lifeboat.control.cloud.azure;
