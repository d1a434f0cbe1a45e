// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.zip.CRC32C;

/** Manifests and owner records as bytes: the envelope of docs/store-format.md around CBOR or JSON. */
final class Records {
    private static final int ENVELOPE_BYTES = 20;
    private static final int CRC_OFFSET = 16;
    private static final String SEALED_EPOCH = "LBEPOCHS";
    /** The format version in which sealed manifests came. */
    private static final int SEALED_SINCE = 2;

    private static final ObjectMapper CBOR = CBORMapper.builder().build();
    private static final ObjectMapper JSON = JsonMapper.builder().build();

    private Records() {}

    /**
     * @param checkpoint the one that the manifest refers to
     * @param vmKey of an encrypted VM
     */
    static ByteBuffer bytes(
            EpochManifest manifest, Optional<Checkpoint> checkpoint, String key, Optional<VmKey> vmKey) {
        ManifestBody body = ManifestBody.of(manifest, checkpoint);
        if (vmKey.isEmpty()) {
            return seal("LBEPOCH1", manifest.version(), CBOR, body);
        }
        byte[] visible = encode(CBOR, body.with(new SealedManifest.Hidden("", new byte[0])));
        byte[] hidden = encode(CBOR, body.hidden());
        return seal(SEALED_EPOCH, manifest.version(), CBOR, SealedManifest.seal(vmKey.get(), key, visible, hidden));
    }

    /**
     * Reads a manifest, and opens it when it is sealed.
     *
     * @throws WrongKeyException when the key that was given, or none, does not fit
     */
    static EpochManifest manifest(String key, ByteBuffer bytes, VmKeys vmKeys, Checkpoints checkpoints) {
        if (!isSealed(bytes)) {
            ManifestBody body = clear(key, bytes);
            vmKeys.of(key, 0);
            return body.manifest(key, checkpoints);
        }
        SealedManifest sealed = sealed(key, bytes);
        VmKey vmKey = vmKeys.of(key, sealed.keyNumber()).orElseThrow();
        SealedManifest.Hidden hidden = decode(CBOR, sealed.open(vmKey, key), SealedManifest.Hidden.class, key);
        return whole(
                        key,
                        decode(CBOR, sealed.visible(), ManifestBody.class, key).with(hidden))
                .manifest(key, checkpoints);
    }

    /**
     * A manifest as everybody may see it, unauthenticated when it is sealed.
     *
     * @param body without description and state when it is sealed
     * @param keyNumber of the data key it is sealed with, or 0
     */
    record Visible(ManifestBody body, int keyNumber) {}

    static Visible visible(String key, ByteBuffer bytes) {
        if (!isSealed(bytes)) {
            return new Visible(clear(key, bytes), 0);
        }
        SealedManifest sealed = sealed(key, bytes);
        return new Visible(whole(key, decode(CBOR, sealed.visible(), ManifestBody.class, key)), sealed.keyNumber());
    }

    private static boolean isSealed(ByteBuffer bytes) {
        byte[] magic = SEALED_EPOCH.getBytes(StandardCharsets.US_ASCII);
        return bytes.remaining() >= magic.length
                && ByteBuffer.wrap(magic).equals(bytes.slice().limit(magic.length));
    }

    private static ManifestBody clear(String key, ByteBuffer bytes) {
        return whole(
                key,
                open(
                        "LBEPOCH1",
                        EpochManifest.OLDEST_VERSION,
                        EpochManifest.VERSION,
                        CBOR,
                        ManifestBody.class,
                        key,
                        bytes));
    }

    private static SealedManifest sealed(String key, ByteBuffer bytes) {
        SealedManifest sealed =
                open(SEALED_EPOCH, SEALED_SINCE, EpochManifest.VERSION, CBOR, SealedManifest.class, key, bytes);
        if (sealed.visible() == null || sealed.sealed() == null || sealed.keyNumber() < 1) {
            throw new DamagedObjectException("damaged object " + key + ": fields are missing");
        }
        return sealed;
    }

    private static ManifestBody whole(String key, ManifestBody body) {
        if (!body.isWhole()) {
            throw new DamagedObjectException("damaged object " + key + ": fields are missing or make no sense");
        }
        return body;
    }

    /** Of a whole object, as {@link EpochManifest#parentCrc32c()} has it. */
    static int crcOf(ByteBuffer sealed) {
        return sealed.order(ByteOrder.LITTLE_ENDIAN).getInt(sealed.position() + CRC_OFFSET);
    }

    static ByteBuffer bytes(Checkpoint.Body checkpoint) {
        return seal("LBCHKPT1", checkpoint.version(), CBOR, checkpoint);
    }

    static Checkpoint.Body checkpoint(String key, ByteBuffer bytes) {
        int version = Checkpoint.Body.VERSION;
        Checkpoint.Body body = open("LBCHKPT1", version, version, CBOR, Checkpoint.Body.class, key, bytes);
        if (body.vmId() == null || body.segments() == null) {
            throw new DamagedObjectException("damaged object " + key + ": fields are missing");
        }
        return body;
    }

    static ByteBuffer bytes(ReaderLease.Body lease) {
        return seal("LBREADR1", lease.version(), JSON, lease);
    }

    static ReaderLease.Body lease(String key, ByteBuffer bytes) {
        int version = ReaderLease.Body.VERSION;
        return open("LBREADR1", version, version, JSON, ReaderLease.Body.class, key, bytes);
    }

    static ByteBuffer bytes(WorkingSet.Body workingSet) {
        return seal("LBWRKST1", workingSet.version(), CBOR, workingSet);
    }

    static WorkingSet.Body workingSet(String key, ByteBuffer bytes) {
        int version = WorkingSet.Body.VERSION;
        WorkingSet.Body body = open("LBWRKST1", version, version, CBOR, WorkingSet.Body.class, key, bytes);
        if (body.runs() == null) {
            throw new DamagedObjectException("damaged object " + key + ": fields are missing");
        }
        return body;
    }

    static ByteBuffer bytes(OwnerRecord record) {
        return seal("LBOWNER1", record.version(), JSON, record);
    }

    static OwnerRecord owner(String key, ByteBuffer bytes) {
        OwnerRecord record =
                open("LBOWNER1", OwnerRecord.OLDEST_VERSION, OwnerRecord.VERSION, JSON, OwnerRecord.class, key, bytes);
        if (record.vmId() == null || record.nonce() == null) {
            throw new DamagedObjectException("damaged object " + key + ": fields are missing");
        }
        return record;
    }

    static ByteBuffer bytes(WrappedKey key) {
        return seal("LBVMKEY1", key.version(), JSON, key);
    }

    static WrappedKey wrappedKey(String key, ByteBuffer bytes) {
        WrappedKey record =
                open("LBVMKEY1", WrappedKey.VERSION, WrappedKey.VERSION, JSON, WrappedKey.class, key, bytes);
        if (record.vmId() == null || record.kind() == null || record.wrapped() == null) {
            throw new DamagedObjectException("damaged object " + key + ": fields are missing");
        }
        return record;
    }

    private static ByteBuffer seal(String magic, int version, ObjectMapper mapper, Object value) {
        byte[] body = encode(mapper, value);
        ByteBuffer sealed = ByteBuffer.allocate(ENVELOPE_BYTES + body.length).order(ByteOrder.LITTLE_ENDIAN);
        sealed.put(magic.getBytes(StandardCharsets.US_ASCII)).putInt(version).putInt(body.length);
        sealed.position(ENVELOPE_BYTES).put(body).flip();
        return sealed.putInt(CRC_OFFSET, crc(sealed));
    }

    private static <T> T open(
            String magic, int oldest, int newest, ObjectMapper mapper, Class<T> type, String key, ByteBuffer content) {
        ByteBuffer bytes = content.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.limit() < ENVELOPE_BYTES) {
            throw new DamagedObjectException("damaged object " + key + ": only " + bytes.limit() + " bytes");
        }
        byte[] found = new byte[magic.length()];
        bytes.get(0, found);
        int bodyBytes = bytes.getInt(12);
        if (!magic.equals(new String(found, StandardCharsets.US_ASCII))
                || bodyBytes != bytes.limit() - ENVELOPE_BYTES
                || bytes.getInt(CRC_OFFSET) != crc(bytes)) {
            throw new DamagedObjectException(
                    "damaged object " + key + ": its " + bytes.limit() + " bytes do not fit its checksum");
        }
        checkVersion(key, bytes.getInt(8), oldest, newest);
        byte[] body = new byte[bodyBytes];
        bytes.get(ENVELOPE_BYTES, body);
        return decode(mapper, body, type, key);
    }

    private static byte[] encode(ObjectMapper mapper, Object value) {
        try {
            return mapper.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new StoreException("cannot write " + value.getClass().getSimpleName() + " as bytes", e);
        }
    }

    private static <T> T decode(ObjectMapper mapper, byte[] body, Class<T> type, String key) {
        try {
            return mapper.readValue(body, type);
        } catch (JacksonException e) {
            throw new DamagedObjectException("damaged object " + key + ": " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new DamagedObjectException("damaged object " + key + ": " + e.getMessage(), e);
        }
    }

    /** A format that we cannot read is no damage: nothing older may be taken instead. */
    static void checkVersion(String key, int found, int oldest, int newest) {
        if (found < oldest || found > newest) {
            String readable = oldest == newest ? "version " + newest : "versions " + oldest + " to " + newest;
            throw new StoreException("object " + key + " has format version " + found + ", and this Lifeboat reads "
                    + readable + ": use the Lifeboat that wrote it, or a "
                    + (found > newest ? "newer" : "matching older") + " one");
        }
    }

    private static int crc(ByteBuffer sealed) {
        CRC32C crc = new CRC32C();
        crc.update(sealed.duplicate().limit(CRC_OFFSET).position(0));
        crc.update(sealed.duplicate().position(ENVELOPE_BYTES));
        return (int) crc.getValue();
    }
}
