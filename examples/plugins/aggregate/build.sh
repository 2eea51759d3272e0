#!/bin/sh
# Builds aggregate.wasm, or the file named as argument. Needs only Go.
set -eu
out=${1:-aggregate.wasm}
cd "$(dirname "$0")"
GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -w' -o "$out" .
