# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian packages pinned in packages.lock: fetch with apt, check the SHA-256, unpack. No root needed.

LOCK_FILE=$IMAGES_DIR/packages.lock
DOWNLOADS=$BUILD_DIR/downloads
UNPACKED=$BUILD_DIR/unpacked

# lock_field NAME FIELD: version (2) or sha256 (3) of a pinned package.
lock_field() {
    awk -v name="$1" -v field="$2" '$1 == name { print $field; found = 1 } END { exit !found }' "$LOCK_FILE" ||
        die "package $1 is not in $LOCK_FILE; add it there and run guest-images/update-lock"
}

# apt_download NAME VERSION FOLDER: exactly that version, or failure.
apt_download() (
    cd "$3" && apt-get -qq download "$1=$2" 2>"$3/apt.log"
)

# fetch_package NAME: puts NAME.deb into downloads, checked; prints nothing when it is there already.
fetch_package() {
    local name=$1 version sha256 deb work
    version=$(lock_field "$name" 2)
    sha256=$(lock_field "$name" 3)
    deb=$DOWNLOADS/$name.deb
    mkdir -p "$DOWNLOADS"
    if [ -f "$deb" ] && [ -f "$deb.taken" ] && [ "$(<"$deb.taken")" = "$version $sha256" ]; then return 0; fi
    work=$DOWNLOADS/$name.work
    rm -rf "$work" && mkdir -p "$work"
    if apt_download "$name" "$version" "$work"; then
        mv "$work"/*.deb "$deb"
        echo "$sha256  $deb" | sha256sum --check --status ||
            die "$name $version: SHA-256 is $(sha256sum "$deb" | cut -d' ' -f1), packages.lock says $sha256. Not used."
        say "fetched $name $version"
    else
        fetch_current "$name" "$version" "$work"
    fi
    echo "$version $sha256" >"$deb.taken"
    rm -rf "$work"
}

# The pinned version has left the mirror (Debian keeps only the newest of each suite): take what apt's signed index
# vouches for now, and say so.
fetch_current() {
    local name=$1 pinned=$2 work=$3 current
    current=$(apt-cache policy "$name" 2>/dev/null | awk '/Candidate:/ { print $2 }')
    if [ -z "$current" ] || [ "$current" = "(none)" ]; then
        die "apt knows no package $name (pinned: $pinned). When the package lists are missing or old, run: apt-get update." \
            "Debian 12 has new kernels in bookworm-security, which /etc/apt must name. apt said: $(tr '\n' ' ' <"$work/apt.log")"
    fi
    apt_download "$name" "$current" "$work" || die "cannot download $name $pinned nor $current. When the package lists are old," \
        "run: apt-get update. apt said: $(tr '\n' ' ' <"$work/apt.log")"
    mv "$work"/*.deb "$DOWNLOADS/$name.deb"
    warn "$name $pinned is no longer on the mirror; took $current, which apt's signed index vouches for." \
        "Run guest-images/update-lock to pin it."
}

# unpack_package NAME: fetches and unpacks to $UNPACKED/NAME once.
unpack_package() {
    local name=$1 target key
    fetch_package "$name"
    target=$UNPACKED/$name
    key=$(sha256sum "$DOWNLOADS/$name.deb" | cut -d' ' -f1)
    if [ -f "$target.stamp" ] && [ "$(<"$target.stamp")" = "$key" ]; then return 0; fi
    rm -rf "$target" && mkdir -p "$target"
    dpkg-deb --extract "$DOWNLOADS/$name.deb" "$target"
    echo "$key" >"$target.stamp"
}

# The kernel package carries its version in its name; the lock holds one name that matches.
kernel_package() {
    awk '/^linux-image-[0-9]/ { print $1; exit }' "$LOCK_FILE"
}
