#!/bin/sh
# Runs every fuzz target of the module, one after the other, each for the time given (default 1m).
set -eu

time=${1:-1m}
packages=$(go list ./...)
for package in $packages; do
	listed=$(go test -list '^Fuzz' "$package")
	for target in $(echo "$listed" | grep '^Fuzz'); do
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
	done
done
