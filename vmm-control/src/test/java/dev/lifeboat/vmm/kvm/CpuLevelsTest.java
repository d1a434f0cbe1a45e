// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import static dev.lifeboat.vmm.kvm.CpuidTable.EAX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EBX;
import static dev.lifeboat.vmm.kvm.CpuidTable.ECX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EDX;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.vmm.CpuProfile;
import dev.lifeboat.vmm.VmmException;
import org.junit.jupiter.api.Test;

class CpuLevelsTest {
    private static final int AVX = 1 << 28;
    private static final int AVX2 = 1 << 5;
    private static final int AVX512_FOUNDATION = 1 << 16;
    private static final int SPECULATION_CONTROL = 1 << 26;

    /** A processor that says yes to everything, with AMX: extended state as Intel lays it out. */
    private static CpuidTable everything() {
        CpuidTable cpuid = new CpuidTable(new byte[0]);
        cpuid.add(0, 0, 0x24, 0x756e_6547, 0x6c65_746e, 0x4965_6e69);
        cpuid.add(1, 0, 0, 0, ~0, ~0);
        cpuid.add(7, 0, 2, ~0, ~0, ~0);
        cpuid.add(7, 1, ~0, ~0, ~0, ~0);
        cpuid.add(7, 2, ~0, ~0, ~0, ~0);
        cpuid.add(0xd, 0, 0x6_02e7, 11_008, 11_008, 0);
        cpuid.add(0xd, 1, ~0, 11_008, 0x1800, 0);
        cpuid.add(0xd, 2, 256, 576, 0, 0);
        cpuid.add(0xd, 5, 64, 1_088, 0, 0);
        cpuid.add(0xd, 6, 512, 1_152, 0, 0);
        cpuid.add(0xd, 7, 1_024, 1_664, 0, 0);
        cpuid.add(0xd, 9, 8, 2_688, 0, 0);
        cpuid.add(0xd, 17, 64, 2_752, 2, 0);
        cpuid.add(0xd, 18, 8_192, 2_816, 6, 0);
        cpuid.add(0x1e, 0, 1, 1, 1, 1);
        cpuid.add(0x8000_0001, 0, 0, 0, ~0, ~0);
        return cpuid;
    }

    @Test
    void aHostIsShownAsItIs() {
        assertThat(CpuLevels.restrict(everything(), CpuProfile.HOST).toBytes())
                .isEqualTo(everything().toBytes());
    }

    @Test
    void eachLevelShowsItsInstructionsAndNoneOfTheNext() {
        CpuidTable v2 = CpuLevels.restrict(everything(), CpuProfile.X86_64_V2);
        CpuidTable v3 = CpuLevels.restrict(everything(), CpuProfile.X86_64_V3);
        CpuidTable v4 = CpuLevels.restrict(everything(), CpuProfile.X86_64_V4);
        assertThat(v2.get(1, 0, ECX) & AVX).isZero();
        assertThat(v2.get(7, 0, EBX) & AVX2).isZero();
        assertThat(v3.get(1, 0, ECX) & AVX).isNotZero();
        assertThat(v3.get(7, 0, EBX) & (AVX2 | AVX512_FOUNDATION)).isEqualTo(AVX2);
        assertThat(v4.get(7, 0, EBX) & (AVX2 | AVX512_FOUNDATION)).isEqualTo(AVX2 | AVX512_FOUNDATION);
        for (CpuidTable level : new CpuidTable[] {v2, v3, v4}) {
            assertThat(level.has(0x1e, 0)).as("AMX").isFalse();
            assertThat(level.get(7, 1, EAX)).as("newer than every level").isZero();
            assertThat(level.get(7, 0, EDX) & SPECULATION_CONTROL).isNotZero();
            assertThat(level.get(1, 0, EDX)).isEqualTo(~0);
        }
    }

    @Test
    void theExtendedStateIsAsLargeAsItsComponents() {
        CpuidTable v2 = CpuLevels.restrict(everything(), CpuProfile.X86_64_V2);
        assertThat(v2.has(0xd, 0)).as("no XSAVE before v3").isFalse();
        assertThat(v2.get(1, 0, ECX) & (3 << 26)).isZero();
        CpuidTable v3 = CpuLevels.restrict(everything(), CpuProfile.X86_64_V3);
        assertThat(v3.get(0xd, 0, EAX)).isEqualTo(7);
        assertThat(v3.get(0xd, 0, ECX)).isEqualTo(576 + 256);
        assertThat(v3.get(0xd, 5, EAX))
                .as("what it does not have is not described")
                .isZero();
        CpuidTable v4 = CpuLevels.restrict(everything(), CpuProfile.X86_64_V4);
        assertThat(v4.get(0xd, 0, EAX)).isEqualTo(0x2e7);
        assertThat(v4.get(0xd, 0, ECX)).isEqualTo(2_696);
        assertThat(v4.get(0xd, 18, EAX)).isZero();
        assertThat(v4.get(0xd, 1, ECX)).as("states of the supervisor").isZero();
    }

    @Test
    void aHostOfALowerLevelIsRefusedWithWhatItLacks() {
        CpuidTable haswell = everything();
        haswell.clear(7, 0, EBX, AVX512_FOUNDATION);
        assertThatThrownBy(() -> CpuLevels.restrict(haswell, CpuProfile.X86_64_V4))
                .isInstanceOf(VmmException.class)
                .hasMessageContaining("no x86-64-v4")
                .hasMessageContaining("7.ebx 0x10000")
                .hasMessageContaining("lower \"cpuProfile\"");
        assertThatCode(() -> CpuLevels.restrict(haswell, CpuProfile.X86_64_V3)).doesNotThrowAnyException();
    }

    @Test
    void aGuestOfALevelMovesToAnyHostOfThatLevel() {
        CpuidTable newer = everything();
        CpuidTable older = CpuLevels.restrict(everything(), CpuProfile.X86_64_V3);
        CpuCompatibility.Key host = CpuCompatibility.key(older, Hypervisor.Kind.INTEL, 4096);
        assertThatThrownBy(() -> CpuCompatibility.check(
                        CpuCompatibility.key(CpuLevels.restrict(newer, CpuProfile.HOST), Hypervisor.Kind.INTEL, 4096),
                        host))
                .hasMessageContaining("lacks features");
        assertThatCode(() -> CpuCompatibility.check(
                        CpuCompatibility.key(
                                CpuLevels.restrict(newer, CpuProfile.X86_64_V3), Hypervisor.Kind.INTEL, 4096),
                        host))
                .doesNotThrowAnyException();
    }

    @Test
    void aNameThatIsNoneIsRefusedWithThoseThatAre() {
        assertThat(CpuProfile.named("x86-64-v3")).isEqualTo(CpuProfile.X86_64_V3);
        assertThatThrownBy(() -> CpuProfile.named("haswell"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("host, x86-64-v2, x86-64-v3, x86-64-v4")
                .hasMessageContaining("haswell");
    }
}
