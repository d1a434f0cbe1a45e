// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

/** The frames of the migration protocol (docs/protocol.md) and how long each body may be. */
public enum FrameType {
    HELLO(1, 1 << 20),
    HELLO_OK(2, 1 << 10),
    /** 15 bytes and at most one run of 16 pages; its checksum covers those 15 bytes, which hold that of the payload. */
    RUN(3, Wire.RUN_HEADER_BYTES + (64 << 10)),
    ROUND_END(4, 16),
    ROUND_ACK(5, 16),
    HYDRATED(6, 64),
    /** Device and vCPU state: 4 KiB of XSAVE area and a few KiB of MSRs for each vCPU, device rings; far below this. */
    STATE(7, 16 << 20),
    READY(8, 64),
    SWITCH(9, 16),
    COMMITTED(10, 1 << 12),
    ABORT(11, 1 << 12),
    /** The longest frame a guest sends: 64 KiB of segmentation offload and its headers. */
    ETHERNET(12, 68 << 10),
    BYE(13, 64),
    HEARTBEAT(14, 0);

    private static final FrameType[] BY_CODE = new FrameType[15];

    static {
        for (FrameType type : values()) {
            BY_CODE[type.code] = type;
        }
    }

    private final int code;
    private final int maxBodyBytes;

    FrameType(int code, int maxBodyBytes) {
        this.code = code;
        this.maxBodyBytes = maxBodyBytes;
    }

    int code() {
        return code;
    }

    int maxBodyBytes() {
        return maxBodyBytes;
    }

    static FrameType of(int code) {
        if (code <= 0 || code >= BY_CODE.length) {
            throw new WireException("unknown frame type " + code
                    + ": the other side is not a Lifeboat of this version, or the connection is damaged");
        }
        return BY_CODE[code];
    }
}
