// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.cloud.TargetMarket;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One host that is bought, or about to be, as the journal has it; written before the cloud is asked.
 *
 * @param token of the purchase; the record's name
 * @param name of the host in the fleet
 * @param bought whether it is the cloud's: one that is not has no instance, and is never released
 * @param instanceId empty until the cloud's answer is known
 * @param size what was had of the offers; empty until known
 * @param memoryMib what it has for VMs
 * @param dollarsPerHour at most; 0 when not known
 * @param vms VMs that it is the target of, each with its MiB
 * @param createdAtMillis wall clock, as all of these: they are compared after restarts
 * @param unclearUntilMillis as long as this is ahead, the cloud may still come up with what the token has bought
 * @param enrolUntilMillis end of the one-time token
 * @param enrolledKey fingerprint of the key that used the token; empty while it is unused
 */
record HostRecord(
        String token,
        String name,
        Step step,
        boolean bought,
        TargetMarket.PriceClass priceClass,
        int vcpus,
        long memoryMib,
        String instanceId,
        String size,
        String zone,
        String cloudAddress,
        double dollarsPerHour,
        String url,
        String underlayAddress,
        Map<String, Integer> vms,
        long createdAtMillis,
        long unclearUntilMillis,
        long enrolUntilMillis,
        Optional<String> enrolledKey) {
    enum Step {
        /** The cloud is being asked, or was and did not answer. */
        WANTED,
        /** The cloud has said yes; the host has not come to the fleet yet. */
        BOUGHT,
        /** Its agent has certificates and an address. */
        ENROLLED,
        /** Enrolled, and stopped until it is needed. */
        STOPPED,
        /** To be given back; nothing else happens to it any more. */
        RELEASING
    }

    HostRecord {
        vms = vms == null ? Map.of() : Map.copyOf(vms);
        enrolledKey = enrolledKey == null ? Optional.empty() : enrolledKey;
    }

    HostRecord at(Step next) {
        return with(next, instanceId, size, zone, cloudAddress, dollarsPerHour, vms, unclearUntilMillis);
    }

    HostRecord costing(double dollars) {
        return with(step, instanceId, size, zone, cloudAddress, dollars, vms, unclearUntilMillis);
    }

    HostRecord unclearUntil(long untilMillis) {
        return with(step, instanceId, size, zone, cloudAddress, dollarsPerHour, vms, untilMillis);
    }

    HostRecord had(TargetMarket.Instance instance) {
        return with(
                step == Step.WANTED ? Step.BOUGHT : step,
                instance.id(),
                instance.size(),
                instance.zone(),
                instance.address().isEmpty() ? cloudAddress : instance.address(),
                dollarsPerHour,
                vms,
                0);
    }

    HostRecord serving(String vmId, int memoryMiB) {
        Map<String, Integer> more = new HashMap<>(vms);
        more.put(vmId, memoryMiB);
        return with(step, instanceId, size, zone, cloudAddress, dollarsPerHour, more, unclearUntilMillis);
    }

    HostRecord notServing(String vmId) {
        Map<String, Integer> fewer = new HashMap<>(vms);
        fewer.remove(vmId);
        return with(step, instanceId, size, zone, cloudAddress, dollarsPerHour, fewer, unclearUntilMillis);
    }

    HostRecord enrolled(String key, String atUrl, String atAddress) {
        return new HostRecord(
                token,
                name,
                Step.ENROLLED,
                bought,
                priceClass,
                vcpus,
                memoryMib,
                instanceId,
                size,
                zone,
                cloudAddress,
                dollarsPerHour,
                atUrl,
                atAddress,
                vms,
                createdAtMillis,
                0,
                enrolUntilMillis,
                Optional.of(key));
    }

    boolean isThere() {
        return step == Step.BOUGHT || step == Step.ENROLLED;
    }

    /** Of its pool: where one was taken away, the next is likely to go, too. */
    String pool() {
        return size + "/" + zone + "/" + priceClass;
    }

    private HostRecord with(
            Step nextStep,
            String instance,
            String hadSize,
            String inZone,
            String address,
            double dollars,
            Map<String, Integer> targets,
            long unclear) {
        return new HostRecord(
                token,
                name,
                nextStep,
                bought,
                priceClass,
                vcpus,
                memoryMib,
                instance,
                hadSize,
                inZone,
                address,
                dollars,
                url,
                underlayAddress,
                targets,
                createdAtMillis,
                unclear,
                enrolUntilMillis,
                enrolledKey);
    }
}
