// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import static dev.lifeboat.vmm.kvm.CpuidTable.EAX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EBX;
import static dev.lifeboat.vmm.kvm.CpuidTable.ECX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EDX;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.vmm.VmmException;
import org.junit.jupiter.api.Test;

class CpuModelTest {
    @Test
    void eachVcpuHasItsOwnApicIdInEveryLeaf() {
        CpuidTable vcpu = new CpuidTable(CpuModel.forVcpu(table("AuthenticAMD", 0), 3, 6));

        assertThat(vcpu.get(1, 0, EBX) >>> 24).isEqualTo(3);
        assertThat(vcpu.get(1, 0, EBX) >>> 16 & 0xff).isEqualTo(6);
        assertThat(vcpu.get(1, 0, EDX) >>> 28 & 1).isEqualTo(1);
        assertThat(vcpu.get(0xb, 0, EDX)).isEqualTo(3);
        assertThat(vcpu.get(0xb, 1, EAX)).as("bits of an APIC id").isEqualTo(3);
        assertThat(vcpu.get(0xb, 1, EBX)).isEqualTo(6);
        assertThat(vcpu.get(0x8000_0008, 0, ECX) & 0xff).isEqualTo(5);
    }

    @Test
    void oneVcpuIsNoMultiprocessor() {
        CpuidTable vcpu = new CpuidTable(CpuModel.forVcpu(table("AuthenticAMD", 1 << 28), 0, 1));

        assertThat(vcpu.get(1, 0, EDX) >>> 28 & 1).isZero();
        assertThat(CpuModel.coreBits(1)).isZero();
        assertThat(CpuModel.coreBits(2)).isEqualTo(1);
        assertThat(CpuModel.coreBits(16)).isEqualTo(4);
    }

    @Test
    void anotherVendorIsRefusedByName() {
        assertThatThrownBy(() -> CpuCompatibility.check(key("GenuineIntel", 0), key("AuthenticAMD", 0)))
                .isInstanceOf(VmmException.class)
                .hasMessageContaining("GenuineIntel")
                .hasMessageContaining("AuthenticAMD");
    }

    @Test
    void aMissingFeatureIsNamedAndAnAdditionalOneIsNot() {
        assertThatCode(() -> CpuCompatibility.check(key("AuthenticAMD", 1), key("AuthenticAMD", 5)))
                .doesNotThrowAnyException();
        assertThatThrownBy(() -> CpuCompatibility.check(key("AuthenticAMD", 5), key("AuthenticAMD", 1)))
                .isInstanceOf(VmmException.class)
                .hasMessageContaining("1.edx bits 2");
    }

    @Test
    void theNumberOfVcpusIsNoFeature() {
        assertThatCode(() -> CpuCompatibility.check(key("AuthenticAMD", 1 << 28), key("AuthenticAMD", 0)))
                .doesNotThrowAnyException();
    }

    @Test
    void theTscDeadlineIsTheLastRegister() {
        int[] saved = MsrPolicy.saved(new int[] {0x6e0, 0xc0000080, 0x10, 0xc0010000, 0x480, 0x10});

        assertThat(saved).endsWith(0x6e0).contains(0x10, 0xc0000080, 0x277).doesNotContain(0x480, 0xc0010000);
        assertThat(saved).doesNotHaveDuplicates();
    }

    private static CpuCompatibility.Key key(String vendor, int features) {
        return CpuCompatibility.key(table(vendor, features), Hypervisor.Kind.AMD, 4096);
    }

    private static CpuidTable table(String vendor, int leaf1Edx) {
        CpuidTable table = new CpuidTable(new byte[0]);
        table.add(0, 0, 0xd, word(vendor, 0), word(vendor, 8), word(vendor, 4));
        table.add(1, 0, 0, 0, 0, leaf1Edx);
        table.add(0xb, 0, 0, 0, 0, 0);
        table.add(0x8000_0008, 0, 0, 0, 0, 0);
        return table;
    }

    private static int word(String text, int at) {
        return text.charAt(at) | text.charAt(at + 1) << 8 | text.charAt(at + 2) << 16 | text.charAt(at + 3) << 24;
    }
}
