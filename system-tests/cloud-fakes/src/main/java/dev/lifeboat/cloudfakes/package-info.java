// SPDX-License-Identifier: Apache-2.0
/** What all fakes of clouds share; one sub-package for each cloud and one for metadata services. */
package dev.lifeboat.cloudfakes;
