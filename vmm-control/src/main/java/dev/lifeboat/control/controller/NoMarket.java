// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.TargetMarket;
import java.util.List;
import java.util.Optional;

/** For a fleet of one's own machines: nothing is for sale. */
final class NoMarket implements TargetMarket {
    @Override
    public List<Offer> offers(TargetWish wish) {
        return List.of();
    }

    @Override
    public Instance acquire(Purchase purchase) {
        throw none();
    }

    @Override
    public Optional<Instance> bought(String token) {
        throw none();
    }

    @Override
    public Instance describe(String instanceId) {
        throw none();
    }

    @Override
    public List<Instance> all(String fleet) {
        return List.of();
    }

    @Override
    public void release(String instanceId) {
        throw none();
    }

    @Override
    public void stop(String instanceId) {
        throw none();
    }

    @Override
    public void start(String instanceId) {
        throw none();
    }

    /** Also for instances that the journal has from a time with a cloud: they are not forgotten. */
    private static CloudException none() {
        return new CloudException(
                CloudException.Kind.INVALID,
                "controller.json has no \"cloud\"; add the one that the journal's hosts are of");
    }
}
