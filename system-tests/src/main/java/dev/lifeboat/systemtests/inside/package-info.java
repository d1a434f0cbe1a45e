// SPDX-License-Identifier: Apache-2.0
/** Programs that system tests run inside an emulated host, where /dev/kvm is real. They report on standard output. */
package dev.lifeboat.systemtests.inside;
