# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The guest images: the unmodified Debian kernel and a small initrd.

GUEST_MODULES=(virtio_net virtio_blk virtio_rng virtio_mmio)

need_guest_tools() {
    need apt-get apt
    need dpkg-deb dpkg
    need cpio cpio
    need xz xz-utils
    need modinfo kmod
    need depmod kmod
    need flock util-linux
}

put_guest_base() {
    put_busybox "$1"
    put_modules "$1" "${GUEST_MODULES[@]}"
    install -m 755 "$IMAGES_DIR/guest/init" "$1/init"
}

make_test_guest() {
    local out=$BUILD_DIR/test-guest key tree
    need_guest_tools
    need gcc gcc libc6-dev
    stop_when_tools_are_missing
    key=$(hash_of "$IMAGES_DIR/lib" "$IMAGES_DIR/guest" "$IMAGES_DIR/src" "$LOCK_FILE")
    is_fresh "$out/.key" "$key" "$out/vmlinuz" "$out/initrd" && return 0
    tree=$out/tree
    rm -rf "$out" && mkdir -p "$tree"
    put_kernel "$out/vmlinuz"
    put_guest_base "$tree"
    install -m 644 "$IMAGES_DIR/guest/workload-test" "$tree/workload"
    compile page-counter "$tree/bin/page-counter"
    pack_cpio "$tree" "$out/initrd"
    rm -rf "$tree"
    echo "$key" >"$out/.key"
    say "made $out/vmlinuz and $out/initrd ($(du -h "$out/initrd" | cut -f1))"
}

# Everything the dynamic loader of Debian finds for redis-server, taken from the pinned packages.
REDIS_PACKAGES=(libatomic1 libc6 libcap2 libgcc-s1 libgcrypt20 libgpg-error0 libjemalloc2 liblz4-1 liblzf1 liblzma5
    libssl3 libstdc++6 libsystemd0 libzstd1)

make_redis_guest() {
    local out=$BUILD_DIR/redis-guest key tree package
    need_guest_tools
    need readelf binutils
    stop_when_tools_are_missing
    key=$(hash_of "$IMAGES_DIR/lib" "$IMAGES_DIR/guest" "$LOCK_FILE")
    is_fresh "$out/.key" "$key" "$out/vmlinuz" "$out/initrd" && return 0
    tree=$out/tree
    rm -rf "$out" && mkdir -p "$tree"
    put_kernel "$out/vmlinuz"
    put_guest_base "$tree"
    install -m 644 "$IMAGES_DIR/guest/workload-redis" "$tree/workload"
    unpack_package redis-tools
    for package in "${REDIS_PACKAGES[@]}"; do unpack_package "$package"; done
    install -m 755 "$UNPACKED/redis-tools/usr/bin/redis-check-rdb" "$tree/bin/redis-server"
    put_needed_libraries "$tree" "$tree/bin/redis-server"
    pack_cpio "$tree" "$out/initrd"
    rm -rf "$tree"
    echo "$key" >"$out/.key"
    say "made $out/vmlinuz and $out/initrd ($(du -h "$out/initrd" | cut -f1))"
}

# put_needed_libraries TREE BINARY: follows DT_NEEDED through the pinned packages; nothing of this machine gets in.
put_needed_libraries() {
    local tree=$1 binary=$2 name file
    mkdir -p "$tree/lib64" "$tree/lib/x86_64-linux-gnu"
    for name in ld-linux-x86-64.so.2 $(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        [ ! -e "$tree/lib/x86_64-linux-gnu/$name" ] || continue
        file=$(find "${REDIS_PACKAGES[@]/#/$UNPACKED/}" -path '*/x86_64-linux-gnu/*' -name "$name" -print -quit)
        [ -n "$file" ] || die "no package in REDIS_PACKAGES holds $name, which $binary needs"
        install -m 755 "$(readlink -f "$file")" "$tree/lib/x86_64-linux-gnu/$name"
        [ "$name" != ld-linux-x86-64.so.2 ] || ln -sf "../lib/x86_64-linux-gnu/$name" "$tree/lib64/$name"
        put_needed_libraries "$tree" "$file"
    done
}
