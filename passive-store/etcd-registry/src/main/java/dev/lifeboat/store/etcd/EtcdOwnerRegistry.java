// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.etcd;

import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.OwnerRecords;
import dev.lifeboat.store.OwnerRegistry;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.UnclearOutcomeException;
import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.KV;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.kv.TxnResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.PutOption;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Owner records as keys of etcd: a transaction creates the record unless the key exists, and says what stands there
 * otherwise. Reads are linearizable (etcd's default). Thread-safe.
 */
final class EtcdOwnerRegistry implements OwnerRegistry {
    /** With the limit of a call this is at most some six seconds; who must know for sure asks again. */
    private static final int TRIES = 3;

    private final EtcdFleetRegistry etcd;
    private final String vmId;
    private final KV keys;

    EtcdOwnerRegistry(EtcdFleetRegistry etcd, String vmId) {
        this.etcd = etcd;
        this.vmId = vmId;
        // Refuses an impossible VM id here and now.
        OwnerRecords.prefix(vmId);
        keys = etcd.client().getKVClient();
    }

    @Override
    public Optional<OwnerRecord> newest() {
        ByteSequence prefix = bytes(etcd.url().key(OwnerRecords.prefix(vmId)));
        GetOption last = GetOption.builder()
                .isPrefix(true)
                .withSortField(GetOption.SortTarget.KEY)
                .withSortOrder(GetOption.SortOrder.DESCEND)
                .withLimit(1)
                .build();
        List<KeyValue> found = etcd.await("find the owner of VM " + vmId, () -> keys.get(prefix, last))
                .getKvs();
        if (found.isEmpty()) {
            return Optional.empty();
        }
        String key = found.get(0).getKey().toString(StandardCharsets.UTF_8);
        String name = key.substring(etcd.url().key("").length());
        long term = OwnerRecords.termOf(vmId, name)
                .orElseThrow(() -> new StoreException(
                        "the key " + key + " in " + etcd.describe() + " is no owner record: remove it"));
        return Optional.of(read(term, found.get(0)));
    }

    @Override
    public Optional<OwnerRecord> of(long term) {
        return etcd.await("read term " + term + " of VM " + vmId, () -> keys.get(key(term))).getKvs().stream()
                .findFirst()
                .map(found -> read(term, found));
    }

    /** The same transaction again is harmless: it finds what the earlier try created. */
    @Override
    public OwnerRecord claim(OwnerRecord record) {
        OwnerRecords.check(vmId, record);
        ByteSequence key = key(record.term());
        ByteSequence content = ByteSequence.from(array(OwnerRecords.bytes(record)));
        StoreException last = null;
        for (int attempt = 0; attempt < TRIES; attempt++) {
            if (attempt > 0) {
                pause(attempt);
            }
            try {
                TxnResponse answer = etcd.await(
                        "claim term " + record.term() + " of VM " + vmId,
                        () -> keys.txn()
                                .If(new Cmp(key, Cmp.Op.EQUAL, CmpTarget.createRevision(0)))
                                .Then(Op.put(key, content, PutOption.DEFAULT))
                                .Else(Op.get(key, GetOption.DEFAULT))
                                .commit());
                return answer.isSucceeded()
                        ? record
                        : read(
                                record.term(),
                                answer.getGetResponses().get(0).getKvs().get(0));
            } catch (StoreException e) {
                if (Thread.currentThread().isInterrupted()) {
                    throw e;
                }
                last = e;
            }
        }
        throw new UnclearOutcomeException(
                "could not find out whether term " + record.term() + " of VM " + vmId + " was created: "
                        + last.getMessage(),
                last);
    }

    private OwnerRecord read(long term, KeyValue found) {
        return OwnerRecords.read(vmId, term, ByteBuffer.wrap(found.getValue().getBytes()));
    }

    private ByteSequence key(long term) {
        return bytes(etcd.url().key(OwnerRecords.key(vmId, term)));
    }

    private static ByteSequence bytes(String text) {
        return ByteSequence.from(text, StandardCharsets.UTF_8);
    }

    private static byte[] array(ByteBuffer buffer) {
        byte[] array = new byte[buffer.remaining()];
        buffer.get(array);
        return array;
    }

    private static void pause(int attempt) {
        long limitNs = TimeUnit.MILLISECONDS.toNanos(50L << attempt);
        LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(limitNs / 2, limitNs));
    }

    @Override
    public String describe() {
        return etcd.describe();
    }
}
