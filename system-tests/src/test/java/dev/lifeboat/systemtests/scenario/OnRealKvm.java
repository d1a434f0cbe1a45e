// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** The tests of this class run microVMs on a real {@code /dev/kvm}; the run says how many there were. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@interface OnRealKvm {}
