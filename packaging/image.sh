#!/bin/sh
# Builds the container image of Naru from a static binary that is there already.
#
#   cargo rustc --release --package naru --bin naru -- -C target-feature=+crt-static
#   packaging/image.sh target/release/naru naru:latest
#
# `cargo xtask image naru:latest` does both.
# Takes whichever of buildah, podman and docker is there, or the one that BUILDER names.
# CA_FILE names another set of certificate authorities.
set -eu

usage() {
    echo "usage: $0 BINARY [IMAGE]" >&2
    exit 2
}

fail() {
    echo "error: $*" >&2
    exit 1
}

case "${1:-}" in '' | -*) usage ;; esac
binary=$1
image=${2:-naru:latest}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
ca_file=${CA_FILE:-/etc/ssl/certs/ca-certificates.crt}

[ -x "$binary" ] || fail "$binary is not a program"
[ -r "$ca_file" ] || fail "$ca_file cannot be read; install ca-certificates or set CA_FILE"
# A dynamic binary asks for an interpreter, which an image from scratch does not have.
if head -c 4096 "$binary" | grep -aq '/lib.*/ld-'; then
    fail "$binary is dynamically linked; build it with \`cargo rustc … -- -C target-feature=+crt-static\`"
fi

builder=${BUILDER:-}
for candidate in buildah podman docker; do
    [ -n "$builder" ] && break
    command -v "$candidate" >/dev/null && builder=$candidate
done
[ -n "$builder" ] || fail "none of buildah, podman and docker is installed"

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
install -m 0755 "$binary" "$context/naru"
install -m 0644 "$ca_file" "$context/ca-certificates.crt"
install -d -m 0700 "$context/data"
echo 'naru:x:10001:10001:Naru:/data:/nonexistent' >"$context/passwd"
echo 'naru:x:10001:' >"$context/group"
chmod 0644 "$context/passwd" "$context/group"

# OCI images have no health check; the two that could make them are told to make Docker's.
case "${builder##*/}" in
buildah | podman) set -- --format docker ;;
*) set -- ;;
esac

version=$("$binary" --version | cut -d ' ' -f 2)
revision=$(git -C "$here" rev-parse HEAD 2>/dev/null || echo unknown)
"$builder" build "$@" --file "$here/Containerfile" --tag "$image" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" "$context"
