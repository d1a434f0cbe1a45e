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
    need gcc gcc libc6-dev
    stop_when_tools_are_missing
    key=$(hash_of "$IMAGES_DIR/lib" "$IMAGES_DIR/guest" "$IMAGES_DIR/src" "$LOCK_FILE")
    is_fresh "$out/.key" "$key" "$out/vmlinuz" "$out/initrd" && return 0
    tree=$out/tree
    rm -rf "$out" && mkdir -p "$tree"
    put_kernel "$out/vmlinuz"
    put_guest_base "$tree"
    install -m 644 "$IMAGES_DIR/guest/workload-redis" "$tree/workload"
    unpack_package redis-tools
    for package in "${REDIS_PACKAGES[@]}"; do unpack_package "$package"; done
    install -m 755 "$UNPACKED/redis-tools/usr/bin/redis-check-rdb" "$tree/bin/redis-server"
    LIBRARY_PACKAGES=("${REDIS_PACKAGES[@]}")
    put_needed_libraries "$tree" "$tree/bin/redis-server"
    compile page-counter "$tree/bin/page-counter"
    pack_cpio "$tree" "$out/initrd"
    rm -rf "$tree"
    echo "$key" >"$out/.key"
    say "made $out/vmlinuz and $out/initrd ($(du -h "$out/initrd" | cut -f1))"
}

# put_needed_libraries TREE BINARY: follows DT_NEEDED through LIBRARY_PACKAGES; nothing of this machine gets in.
put_needed_libraries() {
    local tree=$1 binary=$2 name file
    mkdir -p "$tree/lib64" "$tree/lib/x86_64-linux-gnu"
    for name in ld-linux-x86-64.so.2 $(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
        [ ! -e "$tree/lib/x86_64-linux-gnu/$name" ] || continue
        file=$(find "${LIBRARY_PACKAGES[@]/#/$UNPACKED/}" -path '*/x86_64-linux-gnu/*' -name "$name" -print -quit)
        [ -n "$file" ] || die "none of ${LIBRARY_PACKAGES[*]} holds $name, which $binary needs"
        install -m 755 "$(readlink -f "$file")" "$tree/lib/x86_64-linux-gnu/$name"
        [ "$name" != ld-linux-x86-64.so.2 ] || ln -sf "../lib/x86_64-linux-gnu/$name" "$tree/lib64/$name"
        put_needed_libraries "$tree" "$file"
    done
}

# Everything that the programs of PostgreSQL load, taken from the pinned packages; without its compiler (LLVM).
POSTGRES_PACKAGES=(libaudit1 libc6 libcap2 libcap-ng0 libcom-err2 libffi8 libgcc-s1 libgcrypt20 libgmp10 libgnutls30
    libgpg-error0 libgssapi-krb5-2 libhogweed6 libicu72 libidn2-0 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0
    libldap-2.5-0 liblz4-1 liblzma5 libnettle8 libp11-kit0 libpam0g libpq5 libreadline8 libsasl2-2 libssl3 libstdc++6
    libsystemd0 libtasn1-6 libtinfo6 libunistring2 libxml2 libzstd1 zlib1g)
POSTGRES_IMAGE_MIB=112

# The programs and the database live on a disk: the base image that every such guest shares.
make_postgres_guest() {
    local out=$BUILD_DIR/postgres-guest key tree
    need_guest_tools
    need readelf binutils
    need mke2fs e2fsprogs
    need gcc gcc libc6-dev
    stop_when_tools_are_missing
    key=$(hash_of "$IMAGES_DIR/lib" "$IMAGES_DIR/guest" "$LOCK_FILE")
    is_fresh "$out/.key" "$key" "$out/vmlinuz" "$out/initrd" "$out/disk.img" && return 0
    tree=$out/tree
    rm -rf "$out" && mkdir -p "$tree"
    put_kernel "$out/vmlinuz"
    put_guest_base "$tree"
    install -m 644 "$IMAGES_DIR/guest/workload-postgres" "$tree/workload"
    install -m 755 "$IMAGES_DIR/guest/postgres-service" "$tree/bin/postgres-service"
    pack_cpio "$tree" "$out/initrd"
    rm -rf "$tree"
    make_postgres_disk "$out"
    echo "$key" >"$out/.key"
    say "made $out/vmlinuz, $out/initrd ($(du -h "$out/initrd" | cut -f1)) and $out/disk.img ($(du -h "$out/disk.img" | cut -f1) of $POSTGRES_IMAGE_MIB MiB)"
}

# make_postgres_disk OUT: an ext4 file system that is a root of its own: libraries, PostgreSQL, a database cluster.
make_postgres_disk() {
    local out=$1 root=$1/root package program
    local bin=usr/lib/postgresql/15/bin lib=usr/lib/postgresql/15/lib share=usr/share/postgresql/15
    for package in postgresql-15 postgresql-client-15 busybox-static "${POSTGRES_PACKAGES[@]}"; do
        unpack_package "$package"
    done
    mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/tmp" "$root/etc" "$root/$bin" "$root/$lib" "$root/usr/share/postgresql" \
        "$root/var/lib/postgresql"
    install -m 755 "$(find "$UNPACKED/busybox-static" -type f -path '*/bin/busybox' -print -quit)" "$root/bin/busybox"
    ln -s busybox "$root/bin/sh"
    cp -R "$UNPACKED/postgresql-15/$share" "$root/$share"
    find "$UNPACKED/postgresql-15/$lib" -maxdepth 1 -name '*.so' ! -name 'llvmjit*' -exec install -m 644 {} "$root/$lib/" \;
    LIBRARY_PACKAGES=("${POSTGRES_PACKAGES[@]}")
    for program in postgres initdb pg_ctl psql pgbench pg_amcheck pg_isready; do
        package=postgresql-15
        [ -e "$UNPACKED/$package/$bin/$program" ] || package=postgresql-client-15
        install -m 755 "$UNPACKED/$package/$bin/$program" "$root/$bin/$program"
        put_needed_libraries "$root" "$root/$bin/$program"
    done
    printf 'root:x:0:0:root:/:/bin/sh\npostgres:x:%s:%s:postgres:/tmp:/bin/sh\n' "$(database_user)" "$(database_user)" >"$root/etc/passwd"
    chmod 1777 "$root/tmp"
    make_database "$root"
    # The data of all the world's languages, 30 MB for every host to check and send. initdb wants it, the database
    # that it made uses none of it.
    echo 'const long long icudt72_dat[2] = {0, 0};' |
        gcc -shared -nostdlib -Wl,-soname,libicudata.so.72 -x c - -o "$root/lib/x86_64-linux-gnu/libicudata.so.72" ||
        die "gcc cannot build a library without data"
    find "$root" -exec touch -h -d "$FIXED_TIME" {} +
    rm -f "$out/disk.img.new"
    # No lazy work left for the guest's first mount, no space kept back for root, the journal as small as ext4 allows.
    PATH=$PATH:/usr/sbin:/sbin mke2fs -q -t ext4 -b 4096 -m 0 -J size=4 -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 \
        -N 4096 -d "$root" "$out/disk.img.new" "${POSTGRES_IMAGE_MIB}M" || die "mke2fs cannot make the disk of the PostgreSQL guest"
    mv "$out/disk.img.new" "$out/disk.img"
    rm -rf "$root"
}

# PostgreSQL refuses to run as root, here and in the guest: nobody's number when this is root, else one's own.
database_user() { if [ "$(id -u)" -eq 0 ]; then echo 65534; else id -u; fi; }

as_database_user() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
    else
        "$@"
    fi
}

# make_database ROOT: a cluster with the tables of pgbench and of the tests. Made by the programs of the image with the
# image's libraries, in a folder that another user can reach; needs a C library not older than the image's.
make_database() {
    local root=$1 work programs data
    work=$(mktemp -d /tmp/lifeboat-postgres.XXXXXX)
    chmod 755 "$work"
    cp -R "$root/usr" "$root/lib" "$root/lib64" "$work/"
    rm -f "$work"/lib/x86_64-linux-gnu/lib{c,m,dl,pthread,rt,resolv}.so.* "$work"/lib/x86_64-linux-gnu/ld-linux*
    mkdir -m 700 "$work/data"
    [ "$(id -u)" -ne 0 ] || chown 65534:65534 "$work/data"
    programs=$work/usr/lib/postgresql/15/bin
    data=$work/data
    (
        cd "$work"
        export LD_LIBRARY_PATH=$work/lib/x86_64-linux-gnu HOME=$work
        as_database_user "$programs/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 --no-locale \
            --wal-segsize=1 --no-sync --no-instructions || exit 1
        as_database_user cp "$IMAGES_DIR/guest/postgresql.conf" "$data/postgresql.auto.conf" || exit 1
        as_database_user sh -c "echo 'host all all all trust' >>'$data/pg_hba.conf'" || exit 1
        as_database_user "$programs/pg_ctl" --pgdata="$data" --wait --silent --log="$data/make.log" \
            --options="-c listen_addresses= -c unix_socket_directories=$data -c min_wal_size=2MB -c max_wal_size=2MB" start || exit 1
        as_database_user "$programs/pgbench" --host="$data" --username=postgres --initialize --quiet postgres &&
            as_database_user "$programs/psql" --host="$data" --username=postgres --quiet --no-psqlrc --set=ON_ERROR_STOP=1 \
                --command='CREATE TABLE numbered (number bigint PRIMARY KEY)' --command='CREATE EXTENSION amcheck' \
                --command='VACUUM ANALYZE' --command=CHECKPOINT --command='SELECT pg_switch_wal()' --command=CHECKPOINT postgres
        made=$?
        as_database_user "$programs/pg_ctl" --pgdata="$data" --wait --silent --mode=fast stop || exit 1
        exit $made
    ) >"$work/log" 2>&1 || die "the database of the PostgreSQL guest cannot be made: $(tail -n 5 "$work/log" | tr '\n' ' ')"
    rm -f "$data/make.log"
    mv "$data" "$root/var/lib/postgresql/data"
    rm -rf "$work"
}
