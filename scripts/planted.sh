#!/bin/sh
# Builds each planted bug in, lets the simulation find it, and writes the table of docs/guarantees.md anew: which seed was the first that did, and
# what it saw. Fails, and changes nothing, if a bug is not found. With a file as its argument it reads there what the test said, with -v, before.
set -eu
cd "$(dirname "$0")/.."
page=docs/guarantees.md
log=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -n "$log" ]; then
	cp "$log" "$work/log"
elif ! CGO_ENABLED=0 go test -count=1 -v -timeout 60m -run '^TestPlantedBugsAreCaught$' ./engine/internal/sim >"$work/log" 2>&1; then
	cat "$work/log"
	exit 1
fi
awk '
	/^=== .*TestPlantedBugsAreCaught\// { split($3, part, "/"); bug = part[2] } # whose lines follow
	bug != "" && /caught by seed/ {
		seed = $0; sub(/.*caught by seed /, "", seed); sub(/ .*/, "", seed)
		seen = $0; sub(/.*caught by seed [0-9]+ after [^:]*: /, "", seen)
		print bug "\t" seed "\t" seen
		bug = ""
	}' "$work/log" | sort >"$work/found"
[ -s "$work/found" ] || { echo 'the test has logged no seeds' >&2; exit 1; }
# The table keeps the words that say what a bug is; a new bug gets a line without.
awk -F '\t' -v found="$work/found" '
	BEGIN { while ((getline line < found) > 0) { split(line, f, "\t"); seed[f[1]] = f[2]; seen[f[1]] = f[3] } }
	/^<!-- planted: / { inside = 1; print; next }
	/^<!-- end of planted/ {
		for (bug in seed) if (!done[bug]) printf "| `%s` | | %s | %s |\n", bug, seed[bug], seen[bug]
		inside = 0
	}
	inside && /^\| `/ {
		split($0, cell, "|"); bug = cell[2]; gsub(/[ `]/, "", bug)
		if (!(bug in seed)) next
		done[bug] = 1
		printf "|%s|%s| %s | %s |\n", cell[2], cell[3], seed[bug], seen[bug]
		next
	}
	{ print }' "$page" >"$work/page"
cp "$work/page" "$page"
git --no-pager diff --stat -- "$page"
