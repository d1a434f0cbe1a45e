// SPDX-License-Identifier: Apache-2.0
/** What an EC2 instance hears from its metadata service, version 2. */
package dev.lifeboat.control.cloud.aws;
