#!/bin/sh
# Makes the root file system of our image: the given programs, the libraries they ask for, who runs them, whom they trust.
# Nothing else, no shell either.
# Usage: rootfs.sh DIR PROGRAM...
set -eu
root=$1
shift
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp"

for program in "$@"; do
    cp "$program" "$root/usr/bin/"
    # Each line: name => path (address), or the loader's path alone.
    ldd "$program" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'dsom:x:65532:65532:dsom:/var/lib/dsom:/sbin/nologin' >"$root/etc/passwd"
echo 'dsom:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

# An empty volume takes its owner from the folder that it is mounted on first.
for folder in keys nats nats-users sandbox-nats sandbox/nats-users telemetry; do
    mkdir -p "$root/var/lib/dsom/$folder"
done
chown -R 65532:65532 "$root/var/lib/dsom" "$root/tmp"
chmod 0700 "$root/var/lib/dsom/keys"
