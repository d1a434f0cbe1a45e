// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.kvm.KvmStruct;
import dev.lifeboat.linux.kvm.KvmVcpu;
import dev.lifeboat.vmm.VmmException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.IntPredicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads and writes the MSRs of one vCPU as a block of {@code struct kvm_msr_entry}. Used by one thread at a time. */
final class MsrBlock {
    private static final Logger LOG = LoggerFactory.getLogger(MsrBlock.class);

    private MsrBlock() {}

    /**
     * Those of {@code candidates} that this vCPU has; asked once, when its CPUID is set, because KVM lists registers of
     * the host that the guest's CPUID may not have.
     */
    static int[] readable(KvmVcpu vcpu, int[] candidates) {
        int[] kept = new int[candidates.length];
        long[] values = new long[candidates.length];
        int count = 0;
        int at = 0;
        while (at < candidates.length) {
            int done = vcpu.getMsrs(candidates, values, at);
            System.arraycopy(candidates, at, kept, count, done);
            count += done;
            at += done;
            if (done == 0) {
                LOG.debug("vCPU {} has no MSR 0x{}", vcpu.id(), Integer.toHexString(candidates[at]));
                at++;
            }
        }
        return Arrays.copyOf(kept, count);
    }

    static byte[] read(KvmVcpu vcpu, int[] indices) {
        long[] values = new long[indices.length];
        int at = 0;
        while (at < indices.length) {
            int done = vcpu.getMsrs(indices, values, at);
            if (done == 0) {
                throw new VmmException("KVM_GET_MSRS refused MSR 0x" + Integer.toHexString(indices[at]) + " of vCPU "
                        + vcpu.id() + ", which it gave at the start; the VM goes on, but cannot be saved");
            }
            at += done;
        }
        ByteBuffer block =
                ByteBuffer.allocate(indices.length * KvmStruct.MSR_ENTRY).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < indices.length; i++) {
            block.putInt(indices[i]).putInt(0).putLong(values[i]);
        }
        return block.array();
    }

    /**
     * Writes the block in its order, but only the registers that {@code wanted} accepts. Of these, one that holds the
     * value already is left alone: KVM refuses or complains about some writes even of the present value. A refused write
     * is fatal, because the guest would go on with a different processor.
     */
    static void write(KvmVcpu vcpu, byte[] block, IntPredicate wanted) {
        ByteBuffer entries = ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN);
        int[] indices = new int[block.length / KvmStruct.MSR_ENTRY];
        long[] values = new long[indices.length];
        int count = 0;
        for (int at = 0; at < block.length; at += KvmStruct.MSR_ENTRY) {
            if (wanted.test(entries.getInt(at))) {
                indices[count] = entries.getInt(at);
                values[count++] = entries.getLong(at + 8);
            }
        }
        count = withoutThosePresent(vcpu, indices, values, count);
        indices = Arrays.copyOf(indices, count);
        int at = 0;
        while (at < count) {
            int done = vcpu.setMsrs(indices, values, at);
            if (done == 0) {
                throw new VmmException("KVM_SET_MSRS refused MSR 0x" + Integer.toHexString(indices[at]) + " = 0x"
                        + Long.toHexString(values[at]) + " on vCPU " + vcpu.id()
                        + "; this host's KVM does not support what the saved VM uses, choose another target");
            }
            at += done;
        }
    }

    /** Compacts the arrays; a register that cannot be read counts as zero, which is what a guest would see of it. */
    private static int withoutThosePresent(KvmVcpu vcpu, int[] indices, long[] values, int count) {
        int[] asked = Arrays.copyOf(indices, count);
        long[] present = new long[count];
        int at = 0;
        while (at < count) {
            int done = vcpu.getMsrs(asked, present, at);
            at += done == 0 ? 1 : done;
        }
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (present[i] != values[i]) {
                indices[kept] = indices[i];
                values[kept++] = values[i];
            }
        }
        return kept;
    }
}
