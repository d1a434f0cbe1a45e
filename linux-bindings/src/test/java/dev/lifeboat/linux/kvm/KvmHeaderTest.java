// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.linux.CProgram;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our numbers are those that a C compiler makes of the kernel's headers. Needs gcc and linux-libc-dev. */
class KvmHeaderTest {
    @TempDir
    Path folder;

    @Test
    void requestNumbersSizesAndOffsetsAreThoseOfTheHeaders() throws Exception {
        Map<String, Long> ours = new LinkedHashMap<>();
        for (Field field : KvmRequest.class.getFields()) {
            ours.put(field.getName(), field.getLong(null));
        }
        struct(ours, "kvm_regs", KvmStruct.REGS);
        struct(ours, "kvm_sregs", KvmStruct.SREGS);
        struct(ours, "kvm_fpu", KvmStruct.FPU);
        struct(ours, "kvm_xsave", KvmStruct.XSAVE);
        struct(ours, "kvm_xcrs", KvmStruct.XCRS);
        struct(ours, "kvm_debugregs", KvmStruct.DEBUGREGS);
        struct(ours, "kvm_lapic_state", KvmStruct.LAPIC);
        struct(ours, "kvm_mp_state", KvmStruct.MP_STATE);
        struct(ours, "kvm_vcpu_events", KvmStruct.VCPU_EVENTS);
        struct(ours, "kvm_pit_state2", KvmStruct.PIT_STATE2);
        struct(ours, "kvm_pit_config", KvmStruct.PIT_CONFIG);
        struct(ours, "kvm_irqchip", KvmStruct.IRQCHIP);
        struct(ours, "kvm_clock_data", KvmStruct.CLOCK_DATA);
        struct(ours, "kvm_userspace_memory_region", KvmStruct.USER_MEMORY_REGION);
        struct(ours, "kvm_irqfd", KvmStruct.IRQFD);
        struct(ours, "kvm_ioeventfd", KvmStruct.IOEVENTFD);
        struct(ours, "kvm_dirty_log", KvmStruct.DIRTY_LOG);
        struct(ours, "kvm_clear_dirty_log", KvmStruct.CLEAR_DIRTY_LOG);
        struct(ours, "kvm_enable_cap", KvmStruct.ENABLE_CAP);
        struct(ours, "kvm_device_attr", KvmStruct.DEVICE_ATTR);
        struct(ours, "kvm_msr_entry", KvmStruct.MSR_ENTRY);
        struct(ours, "kvm_msrs", KvmStruct.MSRS_HEADER);
        struct(ours, "kvm_cpuid_entry2", KvmStruct.CPUID_ENTRY);
        struct(ours, "kvm_cpuid2", KvmStruct.CPUID_HEADER);
        struct(ours, "kvm_irq_routing", KvmStruct.IRQ_ROUTING_HEADER);
        struct(ours, "kvm_irq_routing_entry", KvmStruct.IRQ_ROUTING_ENTRY);
        for (Field field : KvmCapability.class.getFields()) {
            ours.put("KVM_CAP_" + field.getName(), (long) field.getInt(null));
        }
        run(ours, "immediate_exit", KvmRun.IMMEDIATE_EXIT);
        run(ours, "exit_reason", KvmRun.EXIT_REASON);
        run(ours, "io.direction", KvmRun.IO_DIRECTION);
        run(ours, "io.size", KvmRun.IO_SIZE);
        run(ours, "io.port", KvmRun.IO_PORT);
        run(ours, "io.count", KvmRun.IO_COUNT);
        run(ours, "io.data_offset", KvmRun.IO_DATA_OFFSET);
        run(ours, "mmio.phys_addr", KvmRun.MMIO_ADDRESS);
        run(ours, "mmio.data", KvmRun.MMIO_DATA);
        run(ours, "mmio.len", KvmRun.MMIO_LENGTH);
        run(ours, "mmio.is_write", KvmRun.MMIO_IS_WRITE);
        run(ours, "fail_entry.hardware_entry_failure_reason", KvmRun.HARDWARE_ENTRY_FAILURE_REASON);
        run(ours, "internal.suberror", KvmRun.INTERNAL_SUBERROR);
        run(ours, "system_event.type", KvmRun.SYSTEM_EVENT_TYPE);
        offset(ours, "kvm_clock_data", "flags", 8);
        offset(ours, "kvm_clock_data", "realtime", 16);
        offset(ours, "kvm_clock_data", "host_tsc", 24);
        offset(ours, "kvm_irq_routing_entry", "u.irqchip.pin", 20);
        offset(ours, "kvm_ioeventfd", "flags", 24);
        offset(ours, "kvm_clear_dirty_log", "dirty_bitmap", 16);
        ours.put("KVM_EXIT_IO", (long) KvmRun.EXIT_IO);
        ours.put("KVM_EXIT_MMIO", (long) KvmRun.EXIT_MMIO);
        ours.put("KVM_EXIT_SHUTDOWN", (long) KvmRun.EXIT_SHUTDOWN);
        ours.put("KVM_EXIT_FAIL_ENTRY", (long) KvmRun.EXIT_FAIL_ENTRY);
        ours.put("KVM_EXIT_INTR", (long) KvmRun.EXIT_INTR);
        ours.put("KVM_EXIT_INTERNAL_ERROR", (long) KvmRun.EXIT_INTERNAL_ERROR);
        ours.put("KVM_EXIT_SYSTEM_EVENT", (long) KvmRun.EXIT_SYSTEM_EVENT);
        ours.put("KVM_SYSTEM_EVENT_CRASH", (long) KvmRun.SYSTEM_EVENT_CRASH);
        ours.put("KVM_MEM_LOG_DIRTY_PAGES", (long) KvmVm.LOG_DIRTY_PAGES);

        assertThat(theirs(ours)).containsExactlyEntriesOf(ours);
    }

    private static void struct(Map<String, Long> into, String name, int bytes) {
        into.put("sizeof(struct " + name + ")", (long) bytes);
    }

    private static void run(Map<String, Long> into, String field, int offset) {
        offset(into, "kvm_run", field, offset);
    }

    private static void offset(Map<String, Long> into, String struct, String field, int offset) {
        into.put("offsetof(struct " + struct + ", " + field + ")", (long) offset);
    }

    /** The values of the same expressions, from the compiler. */
    private Map<String, Long> theirs(Map<String, Long> ours) throws IOException, InterruptedException {
        StringBuilder program = new StringBuilder(
                "#include <stdio.h>\n#include <stddef.h>\n#include <linux/kvm.h>\n" + "int main(void) {\n");
        int i = 0;
        for (String expression : ours.keySet()) {
            program.append("printf(\"%llu\\n\", (unsigned long long)(")
                    .append(expression)
                    .append("));\n");
            i++;
        }
        program.append("return 0; }\n");
        assertThat(i).isGreaterThan(100);
        String[] values = CProgram.output(folder, program.toString()).split("\n");
        Map<String, Long> theirs = new LinkedHashMap<>();
        int at = 0;
        for (String expression : ours.keySet()) {
            theirs.put(expression, Long.parseLong(values[at++]));
        }
        return theirs;
    }
}
