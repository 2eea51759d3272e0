#!/bin/sh
# Runs the long tests in rounds until so many hours are over (default 8), each round with seeds of its own, and prints after each part
# what was done so far. Ends at the first failure, with what the test said. Decimals are fine: scripts/soak.sh 0.5
set -eu
cd "$(dirname "$0")/.."
hours=${1:-8}
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -buildvcs=false"

# What one round does. ROUND_SEEDS and its like make it smaller or larger.
seeds=${ROUND_SEEDS:-500}
cuts=${ROUND_CUTS:-5000}
kills=${ROUND_KILLS:-200}
chaos=${ROUND_CHAOS:-60}

work=$(mktemp -d)
begun=$(date +%s)
all_seeds=0 all_cuts=0 all_kills=0 all_points=0 all_chaos=0 last=none

total() {
	took=$(($(date +%s) - begun))
	printf '%3dh%02dm  %d simulated networks, %d power cuts, %d random kills, %d passes of all failpoints, %d s of chaos; last: %s\n' \
		$((took / 3600)) $((took % 3600 / 60)) "$all_seeds" "$all_cuts" "$all_kills" "$all_points" "$all_chaos" "$last"
}
finish() {
	code=$?
	trap - EXIT INT TERM
	echo 'In all:'
	total
	rm -rf "$work"
	exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

part() { # part <name> <folder> <command>...: what it says is shown if it fails
	last=$1
	folder=$2
	shift 2
	if ! (cd "$folder" && "$@") >"$work/log" 2>&1; then
		cat "$work/log"
		echo "FAILED: $last, in $folder: $*" >&2
		exit 1
	fi
}
over() { [ "$(date +%s)" -ge "$end" ]; }
if ! end=$(awk -v h="$hours" 'BEGIN {if (h + 0 <= 0) exit 1; printf "%d", h * 3600}'); then
	echo "$hours is no number of hours" >&2
	exit 2
fi

go test -c -o "$work/sim" ./engine/internal/sim
go test -c -o "$work/store" ./engine/internal/store
go test -c -o "$work/kill" ./test/kill
go build -o "$work/rmds-router" ./cmd/rmds-router

begun=$(date +%s)
end=$((begun + end))
# Rounds of one soak have seeds of their own, and so have soaks.
seed=$(($(date +%s) % 100000 * 10000 + 10000))
echo "Soaking for $hours hours; the first seed is $seed."
while ! over; do
	part 'simulated networks' engine/internal/sim "$work/sim" -test.run '^TestSeeds$' -test.timeout 0 -sim.seed "$seed" -sim.seeds "$seeds" -sim.first
	all_seeds=$((all_seeds + seeds))
	total
	part 'power cuts' engine/internal/store "$work/store" -test.run '^TestPowerCuts$' -test.timeout 0 -cuts "$cuts" -cuts.seed "$seed"
	all_cuts=$((all_cuts + cuts))
	total
	part 'random kills' test/kill env RMDS_SEED="$seed" RMDS_KILLS="$kills" "$work/kill" -test.run '^TestKills$' -test.timeout 0
	all_kills=$((all_kills + kills))
	total
	part 'failpoints' test/kill env RMDS_SEED="$seed" "$work/kill" -test.run '^TestFailpoints$' -test.timeout 0
	all_points=$((all_points + 1))
	total
	part 'chaos' . "$work/rmds-router" chaos --for "${chaos}s" --seed "$seed"
	all_chaos=$((all_chaos + chaos))
	total
	seed=$((seed + seeds))
done
