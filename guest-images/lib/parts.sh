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

kernel_release() {
    local package
    package=$(kernel_package)
    echo "${package#linux-image-}"
}

# find_module NAME: path of the module, whatever mix of - and _ its file name has; empty when built in.
find_module() {
    find "$UNPACKED/$(kernel_package)/lib/modules" -name "${1//[-_]/[-_]}.ko*" -print -quit
}

# put_modules TREE NAME...: uncompressed modules with all they depend on, and what modprobe needs to find them.
put_modules() {
    local tree=$1 name release
    shift
    unpack_package "$(kernel_package)"
    release=$(kernel_release)
    mkdir -p "$tree/lib/modules/$release"
    declare -gA MODULE_SEEN=()
    for name in "$@"; do put_module "$tree/lib/modules/$release" "$name"; done
    : >"$tree/lib/modules/$release/modules.order"
    : >"$tree/lib/modules/$release/modules.builtin"
    : >"$tree/lib/modules/$release/modules.builtin.modinfo"
    PATH=$PATH:/usr/sbin:/sbin depmod --basedir "$tree" "$release" || die "depmod failed"
    # modprobe of busybox reads the two text files; the kernel's own requests (a bridge, a VXLAN) come by alias.
    find "$tree/lib/modules/$release" -name 'modules.*' ! -name modules.dep ! -name modules.alias -delete
}

put_module() {
    local folder=$1 name=${2//-/_} file dependency
    [ -z "${MODULE_SEEN[$name]:-}" ] || return 0
    MODULE_SEEN[$name]=1
    file=$(find_module "$name")
    if [ -z "$file" ]; then
        grep -q "/${name//_/[-_]}\.ko$" "$UNPACKED/$(kernel_package)/lib/modules/$(kernel_release)/modules.builtin" ||
            die "kernel $(kernel_package) has no module $name"
        return 0
    fi
    for dependency in $(PATH=$PATH:/usr/sbin:/sbin modinfo -F depends "$file" | tr ',' ' '); do
        put_module "$folder" "$dependency"
    done
    # Unpacked here, once, and not at every boot on an emulated processor. The signature stays: the kernel checks it.
    xz --decompress --stdout "$file" >"$folder/$name.ko"
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

# compile NAME OUT: a static program from src/.
compile() {
    gcc -static -O2 -Wall -Wextra -pthread -o "$2" "$IMAGES_DIR/src/$1.c" ||
        die "gcc cannot build $1. On Debian 12 run: apt-get install --no-install-recommends gcc libc6-dev"
}
