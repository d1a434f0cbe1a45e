# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Parts that every image is put together from: kernel, kernel modules, busybox, shared libraries.

# put_kernel OUT: the bzImage exactly as Debian ships it.
put_kernel() {
    local package
    package=$(kernel_package)
    unpack_package "$package"
    install -m 644 "$UNPACKED/$package"/boot/vmlinuz-* "$1.new"
    mv "$1.new" "$1"
}

# find_module NAME: path of the module, whatever mix of - and _ its file name has; empty when built in.
find_module() {
    find "$UNPACKED/$(kernel_package)/lib/modules" -name "${1//[-_]/[-_]}.ko*" -print -quit
}

# put_modules TREE NAME...: uncompressed modules with all they depend on; their insmod order goes to modules.order.
put_modules() {
    local tree=$1 name
    shift
    mkdir -p "$tree/lib/modules"
    unpack_package "$(kernel_package)"
    declare -gA MODULE_SEEN=()
    : >"$tree/lib/modules/modules.order"
    for name in "$@"; do put_module "$tree" "$name"; done
}

put_module() {
    local tree=$1 name=${2//-/_} file dependency
    [ -z "${MODULE_SEEN[$name]:-}" ] || return 0
    MODULE_SEEN[$name]=1
    file=$(find_module "$name")
    if [ -z "$file" ]; then
        grep -q "/${name//_/[-_]}\.ko$" "$UNPACKED/$(kernel_package)"/lib/modules/*/modules.builtin && return 0
        die "kernel $(kernel_package) has no module $name"
    fi
    for dependency in $(PATH=$PATH:/usr/sbin:/sbin modinfo -F depends "$file" | tr ',' ' '); do
        put_module "$tree" "$dependency"
    done
    # Unpacked here, once, and not at every boot on an emulated processor. The signature stays: the kernel checks it.
    xz --decompress --stdout "$file" >"$tree/lib/modules/$name.ko"
    echo "$name" >>"$tree/lib/modules/modules.order"
}

# put_busybox TREE: the static busybox of Debian with its applets as symbolic links.
put_busybox() {
    local tree=$1 busybox applet
    unpack_package busybox-static
    busybox=$(find "$UNPACKED/busybox-static" -type f -path '*/bin/busybox' -print -quit)
    [ -x "$busybox" ] || die "package busybox-static holds no bin/busybox"
    mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/tmp" "$tree/run" "$tree/etc" "$tree/root"
    ln -s bin "$tree/sbin"
    install -m 755 "$busybox" "$tree/bin/busybox"
    for applet in $("$busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nredis:x:100:100:redis:/tmp:/bin/sh\n' >"$tree/etc/passwd"
    printf 'root:x:0:\nredis:x:100:\n' >"$tree/etc/group"
    printf '127.0.0.1 localhost\n' >"$tree/etc/hosts"
    printf 'hosts: files dns\n' >"$tree/etc/nsswitch.conf"
}
