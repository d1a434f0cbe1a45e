# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The emulated host. Two layers, so that a new build of the program costs seconds: base.cpio (busybox, kernel modules,
# Java runtime, C library) and program.cpio (jars, class archive). initrd.cpio is one behind the other, as the kernel
# accepts it. Not compressed: unpacking on an emulated processor takes longer than loading the bytes.

# What host/init loads, and what lies ready for modprobe.
HOST_MODULES=(virtio_net virtio_blk tun bridge vxlan kvm_amd kvm_intel overlay squashfs loop veth dummy virtio_rng nf_tables
    nft_nat nft_masq nft_chain_nat nf_conntrack sch_netem vsock nfsv4 nfsd ext4)

# mke2fs makes the file system of a volume; the one of busybox knows ext2 only. Beside the C library.
MKE2FS_PACKAGES=(libblkid1 libcom-err2 libext2fs2 libuuid1)

# The JDK that makes the runtime: JAVA_HOME, else the java on the path.
find_jdk() {
    if [ -n "${JAVA_HOME:-}" ]; then
        JDK=$JAVA_HOME
    elif command -v javac >/dev/null; then
        JDK=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
    else
        need javac openjdk-17-jdk-headless
        return
    fi
    [ -x "$JDK/bin/jlink" ] || die "$JDK has no bin/jlink; a full JDK of 17 or newer is needed. On Debian 12 run:" \
        "apt-get install --no-install-recommends openjdk-17-jdk-headless"
    JDK_MAJOR=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$JDK/release")
    [ "${JDK_MAJOR:-0}" -ge 17 ] || die "$JDK is Java ${JDK_MAJOR:-unknown}; 17 or newer is needed (set JAVA_HOME)"
}

make_host() {
    local program='' train=() out=$BUILD_DIR/host base_key program_key
    while [ $# -gt 0 ]; do
        case $1 in
            --program) [ $# -ge 2 ] || die "--program needs a folder"; program=$(cd "$2" && pwd) || die "no folder $2"; shift 2 ;;
            --train) shift; [ $# -ge 1 ] || die "--train needs a class name"; train=("$@"); break ;;
            *) die "host knows no argument $1" ;;
        esac
    done
    [ ${#train[@]} -eq 0 ] || [ -n "$program" ] || die "--train needs --program"
    need_guest_tools
    need gcc gcc libc6-dev
    find_jdk
    stop_when_tools_are_missing
    mkdir -p "$out"
    base_key=$(printf '%s\n' "$(hash_of "$IMAGES_DIR/lib" "$IMAGES_DIR/host" "$IMAGES_DIR/src" "$LOCK_FILE")" "$JDK" \
        "$(sha256sum <"$JDK/release")" "$(stat -c '%s %Y' "$JDK/lib/modules" "$JDK/lib/server/libjvm.so")" | sha256sum | cut -d' ' -f1)
    if ! is_fresh "$out/base.key" "$base_key" "$out/vmlinuz" "$out/base.cpio" "$out/runtime/bin/java"; then
        rm -f "$out/base.key"
        make_host_base "$out"
        echo "$base_key" >"$out/base.key"
    fi
    program_key=$(printf '%s\n' "$base_key" "${program:+$(hash_of "$program")}" "${train[@]}" | sha256sum | cut -d' ' -f1)
    if ! is_fresh "$out/program.key" "$program_key" "$out/initrd.cpio"; then
        rm -f "$out/program.key"
        make_host_program "$out" "$program" "${train[@]}"
        cat "$out/base.cpio" "$out/program.cpio" >"$out/initrd.cpio.new"
        mv "$out/initrd.cpio.new" "$out/initrd.cpio"
        echo "$program_key" >"$out/program.key"
        say "made $out/initrd.cpio ($(du -h "$out/initrd.cpio" | cut -f1))"
    fi
}

make_host_base() {
    local out=$1 tree=$1/tree
    rm -rf "$tree" && mkdir -p "$tree/lifeboat"
    put_kernel "$out/vmlinuz"
    put_busybox "$tree"
    put_modules "$tree" "${HOST_MODULES[@]}"
    make_runtime "$out/runtime"
    cp -a "$out/runtime" "$tree/lifeboat/runtime"
    put_runtime_libraries "$tree" "$out/runtime"
    put_mke2fs "$tree"
    install -m 755 "$IMAGES_DIR/host/init" "$tree/init"
    install -m 755 "$IMAGES_DIR/host/java" "$tree/bin/java"
    compile kvm-keep "$tree/bin/kvm-keep"
    install -m 755 "$IMAGES_DIR/host/share-directory" "$tree/bin/share-directory"
    pack_cpio "$tree" "$out/base.cpio"
    rm -rf "$tree"
    say "made $out/vmlinuz and $out/base.cpio ($(du -h "$out/base.cpio" | cut -f1), Java $JDK_MAJOR)"
}

# jvm_flags: what the program needs and what runs best in emulation, one flag to a line.
jvm_flags() {
    cat "$IMAGES_DIR/host/jvm.args"
    [ "$JDK_MAJOR" -lt 24 ] || printf '%s\n' --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
        -Dio.netty.noUnsafe=false
}

# make_runtime DIR: jlinked runtime with its own default class archive.
make_runtime() {
    local runtime=$1 modules
    modules=$(sed '/^#/d' "$IMAGES_DIR/host/modules.java" | paste -s -d,)
    rm -rf "$runtime"
    "$JDK/bin/jlink" --add-modules "$modules" --no-header-files --no-man-pages --output "$runtime" ||
        die "jlink of $JDK failed"
    # java.desktop is there for the types that libraries read; its native half would drag in X11, fonts and sound.
    (cd "$runtime/lib" && rm -f libawt*.so libfontmanager.so libfreetype.so libjavajpeg.so libjawt.so libjsound.so \
        liblcms.so libmlib_image.so libsplashscreen.so)
    # The archive remembers size and time of lib/modules, so times are set before it is made.
    find "$runtime" -exec touch -h -d "$FIXED_TIME" {} +
    # Only with G1 does the dump hold heap objects. JDK 17 ignores them under the serial collector; newer ones load them.
    # Newer JDKs refuse an archive that was dumped with other module flags than they run with.
    jvm_flags >"$runtime.args"
    "$runtime/bin/java" "@$runtime.args" -XX:-UseSerialGC -XX:+UseG1GC -Xshare:dump -Xlog:disable -Xlog:all=error:stderr >/dev/null ||
        warn "no default class archive: java -Xshare:dump failed; virtual machines start slower"
}

# The C library comes from this machine, because the runtime was built against it or an older one; also the parts that are
# opened by name at run time (name service, and what native parts of JNA, Netty and LZ4 ask for).
put_runtime_libraries() {
    local tree=$1 runtime=$2 file folder
    folder=$(dirname "$(ldd "$runtime/bin/java" | awk '$1 == "libc.so.6" { print $3 }')")
    [ -f "$folder/libc.so.6" ] || die "ldd does not say where libc.so.6 lies; glibc is needed"
    mkdir -p "$tree/lib64" "$tree$folder"
    {
        find "$runtime" -type f \( -name '*.so' -o -path '*/bin/java' \) -exec ldd {} + 2>/dev/null |
            awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }'
        for file in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libresolv.so.2 libnss_dns.so.2 libnss_files.so.2 \
            libstdc++.so.6 libgcc_s.so.1 libcrypt.so.1; do
            [ ! -e "$folder/$file" ] || echo "$folder/$file"
        done
    } | sort -u | grep -v "^$runtime/" | while read -r file; do
        mkdir -p "$tree$(dirname "$file")"
        [ -e "$tree$file" ] || install -m 755 "$(readlink -f "$file")" "$tree$file"
    done
}

put_mke2fs() {
    local tree=$1 package library
    for package in e2fsprogs "${MKE2FS_PACKAGES[@]}"; do unpack_package "$package"; done
    rm -f "$tree/bin/mke2fs"
    install -m 755 "$(find "$UNPACKED/e2fsprogs" -type f -name mke2fs -print -quit)" "$tree/bin/mke2fs"
    mkdir -p "$tree/lib/x86_64-linux-gnu"
    for library in libblkid.so.1 libcom_err.so.2 libe2p.so.2 libext2fs.so.2 libuuid.so.1; do
        install -m 755 "$(readlink -f "$(find "${MKE2FS_PACKAGES[@]/#/$UNPACKED/}" -name "$library" -print -quit)")" \
            "$tree/lib/x86_64-linux-gnu/$library"
    done
}

# make_host_program OUT PROGRAM [CLASS ARGUMENT...]
make_host_program() {
    local out=$1 tree=$1/program
    shift
    rm -rf "$tree"
    stage_program "$tree/lifeboat" /lifeboat "$@"
    pack_cpio "$tree" "$out/program.cpio"
    rm -rf "$tree"
}

# A further program for the runtime of the host image, brought by a machine's overlay to /NAME (see make_side_program).
# build/NAME/{java.args,program.jsa,lib/*.jar}; start it there with: runtime/bin/java @java.args CLASS
make_side_program() {
    local name=$1 program='' train=() out=$BUILD_DIR/$1 host=$BUILD_DIR/host key
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --program) [ $# -ge 2 ] || die "--program needs a folder"; program=$(cd "$2" && pwd) || die "no folder $2"; shift 2 ;;
            --train) shift; [ $# -ge 1 ] || die "--train needs a class name"; train=("$@"); break ;;
            *) die "$name knows no argument $1" ;;
        esac
    done
    [ -n "$program" ] || die "$name needs --program"
    [ -f "$host/base.key" ] || die "$name runs on the runtime of the host image; first: guest-images/make host"
    find_jdk
    stop_when_tools_are_missing
    key=$(printf '%s\n' "$(<"$host/base.key")" "$(hash_of "$program")" "${train[@]}" | sha256sum | cut -d' ' -f1)
    is_fresh "$out.key" "$key" "$out/java.args" && return 0
    rm -rf "$out.key" "$out"
    stage_program "$out" "/$name" "$program" "${train[@]}"
    # Class-data sharing compares the times of the jars, and the overlay keeps them.
    find "$out" -exec touch -h -d "$FIXED_TIME" {} +
    echo "$key" >"$out.key"
}

# stage_program HOME PLACE PROGRAM [CLASS ARGUMENT...]: the jars of the folder PROGRAM (may be empty: none) with flags and
# class archive in HOME, to lie at PLACE in a machine.
stage_program() {
    local home=$1 place=$2 program=$3 class_path=''
    shift 3
    mkdir -p "$home/lib"
    if [ -n "$program" ]; then
        [ -n "$(find "$program" -maxdepth 1 -name '*.jar' -print -quit)" ] || die "no *.jar in $program"
        install -m 644 "$program"/*.jar "$home/lib/"
        remove_signatures "$home/lib"
        class_path=$(cd "$home" && find lib -name '*.jar' | sort | paste -s -d:)
    fi
    find "$home" -exec touch -h -d "$FIXED_TIME" {} +
    {
        jvm_flags
        [ -z "$class_path" ] || printf -- '-cp\n%s\n' "$class_path"
    } >"$home/java.args"
    [ $# -eq 0 ] || train "$home" "$place" "$@"
}

# remove_signatures FOLDER: signed jars (Bouncy Castle) are checked class by class at run time and their classes cannot be
# archived; on an emulated processor that costs seconds at every start. The build has already checked what it fetched.
remove_signatures() {
    local folder=$1 jar work list
    need unzip unzip
    stop_when_tools_are_missing
    for jar in "$folder"/*.jar; do
        # No grep -q: it would end the pipe early, and pipefail would call that a failure of unzip.
        [ "$(unzip -Z1 "$jar" | grep -c '^META-INF/[^/]*\.SF$')" -gt 0 ] || continue
        work=$jar.work list=$jar.list
        rm -rf "$work" && mkdir -p "$work"
        unzip -qq -o "$jar" -d "$work"
        find "$work/META-INF" -maxdepth 1 \( -name '*.SF' -o -name '*.RSA' -o -name '*.DSA' -o -name '*.EC' \) -delete
        (cd "$work" && find . -type f ! -path ./META-INF/MANIFEST.MF -printf '%P\n' | sort) >"$list"
        rm "$jar"
        (cd "$work" && "$JDK/bin/jar" --create --file "$jar" --date="$FIXED_TIME" --manifest META-INF/MANIFEST.MF "@$list")
        rm -rf "$work" "$list"
    done
}

# train HOME PLACE CLASS ARGUMENT...: runs the class once with the runtime of the image and keeps the classes it loaded.
# Only speed depends on it, so a failure is a warning.
train() {
    local home=$1 place=$2 log=$BUILD_DIR/train${2//\//-}.log
    shift 2
    ln -s "$BUILD_DIR/host/runtime" "$home/runtime"
    if (cd "$home" && timeout 120 runtime/bin/java @java.args -XX:ArchiveClassesAtExit=program.jsa "$@" \
        </dev/null >"$log" 2>&1) && [ -f "$home/program.jsa" ]; then
        echo "-XX:SharedArchiveFile=$place/program.jsa" >>"$home/java.args"
        say "class archive of $place: $(du -h "$home/program.jsa" | cut -f1)"
    else
        rm -f "$home/program.jsa"
        warn "no class archive of the program at $place (see $log); it starts slower in the emulated hosts"
    fi
    rm -f "$home/runtime"
}
