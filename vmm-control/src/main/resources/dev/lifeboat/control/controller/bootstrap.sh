#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes this machine a Lifeboat host: cloud-init runs it at the first boot, and a bare machine's owner by hand, as root.
# What is there already is left alone, so it may be run again.
set -eu

enroll_url='@ENROLL_URL@'
token='@TOKEN@'
program_sha256='@PROGRAM_SHA256@'
# Another root for a trial; empty on a real machine.
root=${LIFEBOAT_ROOT:-}
etc=$root/etc/lifeboat
opt=$root/opt/lifeboat

fail() {
    echo "lifeboat bootstrap: $*" >&2
    exit 1
}

# The first address this host trusts, and how it knows the controller.
mkdir -p "$etc"
cat >"$etc/ca.crt" <<'CERTIFICATE'
@AUTHORITY@CERTIFICATE

set -- agent --enroll "$enroll_url" --token "$token" --authority "$etc/ca.crt" --config "$etc/agent.json"

# An image that has the program, with a runtime and flags of its own.
if [ -x "$root/lifeboat/runtime/bin/java" ]; then
    cd "$root/lifeboat"
    exec runtime/bin/java @java.args dev.lifeboat.control.cli.Main "$@"
fi

packages=
command -v java >/dev/null || packages="$packages default-jre-headless"
command -v curl >/dev/null || packages="$packages curl ca-certificates"
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null || fail "needs$packages, and there is no apt-get; install them and run this again"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -q -y --no-install-recommends $packages || fail "cannot install$packages"
fi

if [ ! -d "$opt/lib" ]; then
    [ -n "$program_sha256" ] || fail "no program in $opt/lib, and the controller has none to give (\"program\")"
    mkdir -p "$opt"
    curl -fsS --noproxy '*' --cacert "$etc/ca.crt" --retry 5 --retry-connrefused --max-time 300 \
        -o "$opt/program.tar.gz" "$enroll_url/v1/program" || fail "cannot fetch the program from $enroll_url"
    echo "$program_sha256  $opt/program.tar.gz" | sha256sum -c - >/dev/null ||
        fail "the program from $enroll_url is damaged: its SHA-256 is not $program_sha256"
    # Whole or not at all: a second run takes what is there for complete.
    rm -rf "$opt/unpacked"
    mkdir "$opt/unpacked"
    tar -C "$opt/unpacked" -xzf "$opt/program.tar.gz"
    mv "$opt/unpacked/lib" "$opt/lib"
    rm -rf "$opt/unpacked" "$opt/program.tar.gz"
fi

cat >"$opt/agent" <<AGENT
#!/bin/sh
exec java @JVM_FLAGS@ -cp '$opt/lib/*' dev.lifeboat.control.cli.Main $*
AGENT
chmod 700 "$opt/agent"

# The kernel may have them built in.
modprobe -a kvm_intel tun vxlan bridge 2>/dev/null || true

if [ -d "$root/run/systemd/system" ]; then
    mkdir -p "$root/etc/systemd/system"
    cat >"$root/etc/systemd/system/lifeboat-agent.service" <<UNIT
[Unit]
Description=Lifeboat agent
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=$opt/agent
Restart=always
RestartSec=2
# VMs are processes of their own and live on while the agent is restarted.
KillMode=process

[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    systemctl enable --now lifeboat-agent.service
else
    exec "$opt/agent"
fi
