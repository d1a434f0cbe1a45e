// SPDX-License-Identifier: Apache-2.0
/** EC2 and SQS, as far as Lifeboat calls them, in the shapes that AWS publishes. */
package dev.lifeboat.cloudfakes.aws;
