// SPDX-License-Identifier: Apache-2.0
/**
 * The controller role, on a stable machine: holds the cloud's clients, buys and releases hosts, lets them into the fleet,
 * tells agents their peers, and moves addresses after VMs. Agents can evacuate without it to hosts that are there.
 */
package dev.lifeboat.control.controller;
