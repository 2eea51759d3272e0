#!/bin/sh
# Installs the programs that the tests run beside Go: a C compiler for the race detector; the compilers of plugins: clang and lld
# for C, Debian's rustc, npm for AssemblyScript's; wabt for fixtures in WebAssembly text. Does nothing when they are there, never
# asks, and without the right to install it fails with the command to run.
set -eu
cd "$(dirname "$0")/.."

missing=""
need() { # need <program> <package>...
	program=$1
	shift
	command -v "$program" >/dev/null 2>&1 || missing="$missing $*"
}
need gcc gcc libc6-dev
need clang-22 clang-22
need wasm-ld-22 lld-22
need wat2wasm wabt
need /usr/bin/rustc rustc libstd-rust-dev-wasm32
[ -d /usr/lib/rustlib/wasm32-unknown-unknown ] || missing="$missing libstd-rust-dev-wasm32"
need wasm-ld-14 lld-14
need node nodejs
need npm npm

install_packages() {
	by_hand="apt-get update && apt-get install -y --no-install-recommends$missing"
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "The tests need these programs, in Debian's names:$missing" >&2
		echo "Install them with this system's package manager, then run make again." >&2
		exit 1
	fi
	sudo=""
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
			echo "The tests need packages that only root can install. Run this, then make again:" >&2
			if command -v sudo >/dev/null 2>&1; then
				echo "  sudo sh -c '$by_hand'" >&2
			else
				echo "  su -c '$by_hand'" >&2
			fi
			exit 1
		fi
		sudo="sudo -n"
	fi
	echo "Installing what the tests need, with ${sudo:+sudo }apt-get:$missing"
	# The words of $missing and $sudo are package names and one command: splitting is meant.
	# shellcheck disable=SC2086
	if ! { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing </dev/null; }; then
		echo "The installation failed. The command to run by hand, as root:" >&2
		echo "  $by_hand" >&2
		exit 1
	fi
}
[ -z "$missing" ] || install_packages

# AssemblyScript's compiler, at the version that the SDK pins; it goes into the SDK's own folder.
if [ ! -x sdk/assemblyscript/node_modules/.bin/asc ]; then
	echo "Installing AssemblyScript's compiler into sdk/assemblyscript/node_modules"
	npm ci --prefix sdk/assemblyscript --no-audit --no-fund --loglevel=error
fi
