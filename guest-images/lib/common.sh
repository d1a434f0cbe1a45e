# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the scripts of guest-images: messages, needed tools, content-hash cache, cpio archives.

# One order of sorting and one language of the tools' messages, on every machine.
export LC_ALL=C

IMAGES_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD_DIR=$IMAGES_DIR/build
# One time for every file, so that equal content makes an equal archive. A whole second: class-data sharing
# compares the times of jars and newc stores no fractions.
FIXED_TIME=2026-01-01T00:00:00Z

say() { printf 'guest-images: %s\n' "$*"; }
warn() { printf 'guest-images: warning: %s\n' "$*" >&2; }
die() {
    printf 'guest-images: error: %s\n' "$*" >&2
    exit 1
}

# need TOOL PACKAGE...: collects what is missing, so that one command installs all of it.
MISSING_TOOLS=()
MISSING_PACKAGES=()
need() {
    local tool=$1
    shift
    # depmod, modinfo and friends live in sbin, which is not on every user's path.
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null && return 0
    MISSING_TOOLS+=("$tool")
    MISSING_PACKAGES+=("$@")
}
stop_when_tools_are_missing() {
    [ ${#MISSING_TOOLS[@]} -eq 0 ] && return 0
    die "missing: ${MISSING_TOOLS[*]}. On Debian 12 run: apt-get install --no-install-recommends ${MISSING_PACKAGES[*]}"
}

# hash_of PATH...: one hash over names, modes and contents of files and folders, in sorted order.
hash_of() {
    local path
    for path in "$@"; do
        find "$path" -type f -printf '%m %P\0' | sort -z
        find "$path" -type f -print0 | sort -z | xargs -0 -r sha256sum | cut -d' ' -f1
    done | sha256sum | cut -d' ' -f1
}

# is_fresh STAMP KEY FILE...: true when the stamp holds the key and all files are there.
is_fresh() {
    local stamp=$1 key=$2 file
    shift 2
    [ -f "$stamp" ] && [ "$(<"$stamp")" = "$key" ] || return 1
    for file in "$@"; do [ -f "$file" ] || return 1; done
}

# pack_cpio TREE OUT: newc archive, sorted, owned by root, one time; the same input gives the same bytes.
pack_cpio() {
    local tree=$1 out=$2
    find "$tree" -exec touch -h -d "$FIXED_TIME" {} +
    (cd "$tree" && find . -mindepth 1 -print0 | sort -z |
        cpio --null --create --format=newc --owner=+0:+0 --reproducible --quiet) >"$out.new"
    mv "$out.new" "$out"
}

# One build at a time per checkout: two runs would tear each other's trees.
lock_build() {
    mkdir -p "$BUILD_DIR"
    exec 9>"$BUILD_DIR/.lock"
    flock 9
}
