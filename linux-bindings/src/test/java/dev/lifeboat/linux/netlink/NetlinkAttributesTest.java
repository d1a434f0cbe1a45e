// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class NetlinkAttributesTest {
    private static byte[] hex(String text) {
        return HexFormat.of().parseHex(text.replace(" ", ""));
    }

    @Test
    void numbersOfOneTwoAndFourBytesAreReadUnsignedInMachineOrder() {
        NetlinkAttributes attributes =
                NetlinkAttributes.parse(hex("0500 0100 ff000000 0600 0200 02ff0000 0800 0300 01020304"), 0);

        assertThat(attributes.number(1)).hasValue(0xff);
        assertThat(attributes.number(2)).hasValue(0xff02);
        assertThat(attributes.number(3)).hasValue(0x04030201);
        assertThat(attributes.number(4)).isEmpty();
    }

    @Test
    void textLosesItsTerminatingZeroAndNestedFlagsAreMaskedOff() {
        NetlinkAttributes attributes = NetlinkAttributes.parse(hex("0c00 1280 0700 0100 6c6f0000"), 0);

        assertThat(attributes.nested(0x12).text(1)).contains("lo");
        assertThat(attributes.nested(0x13).text(1)).isEmpty();
    }

    @Test
    void aLengthBeyondTheMessageIsRefused() {
        assertThatThrownBy(() -> NetlinkAttributes.parse(hex("0900 0100 00000000"), 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("claims 9 bytes of 8");
    }

    @Test
    void aLengthShorterThanItsOwnHeaderIsRefusedAndNeverLoops() {
        assertThatThrownBy(() -> NetlinkAttributes.parse(hex("0000 0100 00000000"), 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("claims 0 bytes");
    }
}
