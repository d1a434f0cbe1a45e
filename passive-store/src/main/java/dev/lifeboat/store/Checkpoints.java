// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.CheckpointRef;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/** Reads the checkpoints of one VM and keeps the last one, which its neighbouring epochs share. Thread-safe. */
final class Checkpoints {
    private final ObjectStore store;
    private final String vmId;
    private Optional<Checkpoint> last = Optional.empty();

    Checkpoints(ObjectStore store, String vmId) {
        this.store = store;
        this.vmId = vmId;
    }

    /** @throws DamagedObjectException naming the checkpoint, when it is not what the manifest refers to */
    synchronized Checkpoint get(CheckpointRef ref) {
        if (last.isEmpty() || !last.get().ref().equals(ref)) {
            last = Optional.of(read(ref));
        }
        return last.get();
    }

    private Checkpoint read(CheckpointRef ref) {
        String key = ref.key();
        ByteBuffer content = store.get(key)
                .orElseThrow(() -> new DamagedObjectException(
                        "object " + key + " is missing in " + store.describe() + ", and manifests refer to it"));
        if (!ref(key, content).equals(ref)) {
            throw new DamagedObjectException("damaged object " + key + ": its " + content.remaining()
                    + " bytes are not the " + ref.lengthBytes() + " that manifests refer to");
        }
        Checkpoint.Body body = Records.checkpoint(key, content);
        if (!body.vmId().equals(vmId)) {
            throw new DamagedObjectException("damaged object " + key + ": it is a checkpoint of VM " + body.vmId());
        }
        return new Checkpoint(ref, body.segments());
    }

    static CheckpointRef ref(String key, ByteBuffer content) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(content.duplicate());
            return new CheckpointRef(key, content.remaining(), HexFormat.of().formatHex(digest.digest()));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
