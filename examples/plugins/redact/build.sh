#!/bin/sh
# Builds redact.wasm, or the file named as argument. Needs: apt-get install -y clang-22 lld-22
set -eu
out=${1:-redact.wasm}
cd "$(dirname "$0")"
clang-22 --target=wasm32-unknown-unknown -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -fuse-ld=lld \
    -Wl,--no-entry -Wl,--strip-all -I../../../sdk/c -o "$out" src/redact.c
chmod 644 "$out"
