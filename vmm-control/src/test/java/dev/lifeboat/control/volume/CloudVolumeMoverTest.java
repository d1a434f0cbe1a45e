// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.Volumes;
import dev.lifeboat.vmm.VmmConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class CloudVolumeMoverTest {
    private static final VmmConfig.Volume VOLUME = new VmmConfig.Volume("vol-1", "serial-1", "/mnt/v", null, false);

    private final Recorded cloud = new Recorded();
    private final VolumeMover mover = new CloudVolumeMover(cloud, "i-here");

    /** A cloud's volumes that remember what was asked. */
    private static final class Recorded implements Volumes {
        private final List<String> calls = new ArrayList<>();
        private List<String> holders = List.of();
        private String serial = "";
        private boolean refuses;

        @Override
        public Volume create(String token, String fleet, int sizeGib, String zone, boolean multiAttach) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Volume describe(String volumeId) {
            return new Volume(volumeId, "zone", 1, false, holders, Optional.empty());
        }

        @Override
        public List<Volume> all(String fleet) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Attachment attach(String volumeId, String instanceId) {
            if (refuses) {
                throw new CloudException(CloudException.Kind.INVALID, "i-other has it");
            }
            calls.add("attach " + volumeId + " " + instanceId);
            return new Attachment(volumeId, instanceId, serial, -1);
        }

        @Override
        public void detach(String volumeId, String instanceId, boolean force) {
            calls.add("detach " + volumeId + " " + instanceId + " " + force);
        }

        @Override
        public void delete(String volumeId) {
            throw new UnsupportedOperationException();
        }
    }

    @Test
    void theCloudSaysWhatSerialNumberTheDiskShowsElseTheDescriptionDoes() {
        assertThat(mover.attach(VOLUME, 1_000)).isEqualTo("serial-1");
        cloud.serial = "vol1";
        assertThat(mover.attach(VOLUME, 1_000)).isEqualTo("vol1");
        mover.detach(VOLUME, 1_000);
        assertThat(cloud.calls)
                .containsExactly("attach vol-1 i-here", "attach vol-1 i-here", "detach vol-1 i-here false");
    }

    @Test
    void fencingTakesTheVolumeFromAllOthersByForceAndNotFromThisHost() {
        cloud.holders = List.of("i-other", "i-here", "i-third");
        mover.detachElsewhere(VOLUME, 1_000);
        assertThat(cloud.calls).containsExactly("detach vol-1 i-other true", "detach vol-1 i-third true");
    }

    @Test
    void aRefusalOfTheCloudNamesTheVolume() {
        cloud.refuses = true;
        assertThatThrownBy(() -> mover.attach(VOLUME, 1_000))
                .isInstanceOf(ControlException.class)
                .hasMessageContaining("cannot attach volume vol-1")
                .hasMessageContaining("i-other has it");
    }
}
