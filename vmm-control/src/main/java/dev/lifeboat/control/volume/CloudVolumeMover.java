// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.Volumes;
import dev.lifeboat.vmm.VmmConfig;
import java.util.function.Supplier;

/** Moves volumes by the API of this host's cloud. Any thread; the limit of a call is the cloud client's own. */
public final class CloudVolumeMover implements VolumeMover {
    private final Volumes volumes;
    private final String instanceId;

    /** @param instanceId this host's, as its cloud names it */
    public CloudVolumeMover(Volumes volumes, String instanceId) {
        this.volumes = volumes;
        this.instanceId = instanceId;
    }

    @Override
    public String attach(VmmConfig.Volume volume, long limitMs) {
        Volumes.Attachment attachment = call("attach", volume, () -> volumes.attach(volume.id(), instanceId));
        return attachment.serial().isEmpty() ? volume.serial() : attachment.serial();
    }

    @Override
    public void detach(VmmConfig.Volume volume, long limitMs) {
        call("detach", volume, () -> {
            volumes.detach(volume.id(), instanceId, false);
            return true;
        });
    }

    @Override
    public void detachElsewhere(VmmConfig.Volume volume, long limitMs) {
        call("detach", volume, () -> {
            for (String holder : volumes.describe(volume.id()).attachedTo()) {
                if (!holder.equals(instanceId)) {
                    volumes.detach(volume.id(), holder, true);
                }
            }
            return true;
        });
    }

    private static <T> T call(String attempt, VmmConfig.Volume volume, Supplier<T> action) {
        try {
            return action.get();
        } catch (CloudException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot " + attempt + " volume " + volume.id() + ": " + e.getMessage(), e);
        }
    }
}
