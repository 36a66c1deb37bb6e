#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the benches of the project and prints one JSON object a line. docs/BENCHMARKS.md says what each means.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

# name | what it measures. "pipeline", "scale", "gateway" and "durable" are scripts; every other one is a program build/bench/bench_<name>.
benches="
pipeline|1,000 targets through poller, NATS and receiver: CPU, losses, bytes a sample, time to visible
scale|the poller alone: 10,000 targets, reloads, a large target, ill ones; beside a real Prometheus on the same targets
gateway|pushes and rendering through HTTP, beside a real Pushgateway: rates, latencies, CPU, memory
durable|the push log with a full store: starts after a crash, pushes beside snapshots
expo|parsing of expositions, and comparing them to the scrape before, beside memcpy, a newline scan and memcmp
number|reading and writing of numbers beside libc
write|writing of stored series, by dialect, beside memcpy
relabel|relabel_configs on the series of a body, for one sample
transform|what the settings of a job cost for each sample: limits, clearmodes, relabelling
store|scrapes and pushes into the store, and rendering beside memcpy
rollup|aggregation at the edge: what it costs a sample
"

usage() {
	cat <<-END
	usage: tests/bench/run.sh [options] [name...]
	  Runs the named benches (all without a name), each figure as a JSON object on its own line of stdout.
	  --list           name the benches
	  --smoke          tiny and quick: whether they work, not what they measure
	  --duration S     seconds that "pipeline" measures CPU, and again latency (75: five windows of an interval)
	  --targets N      targets of "pipeline" (1000) and "scale" (10000)
	  --interval S     their scrape interval in seconds (15)
	  --long           "scale" for ten minutes a part, and a minute of reloads
	  --part NAME      only this part of "scale": many (with reloads), big, ill
	  --peer-targets N targets of "scale" that its Prometheus has, which needs 4 GB for a million series (2500)
	  --one-address    its targets share one address, and so a few connections
	  --groups N       groups of the full store of "gateway" and "durable", 109 series each (10000)
	  --log-folder DIR where the log of "durable" stands: a folder on a real disk (a temporary one)
	  --no-peer        "gateway" without the Pushgateway, which needs 5 GB and most of the time; "scale" without Prometheus
	  --prometheus     "pipeline" also lets a real Prometheus scrape the same targets
	  --body FILE      the exposition to work on (captured from a node_exporter)
	  --build DIR      a build that is there already (without it: build-bench, built now as RelWithDebInfo)
	END
}

die() {
	echo "run.sh: $*" >&2
	exit 2
}

list() {
	local name what
	while IFS='|' read -r name what; do
		[ -z "$name" ] || printf '%-10s %s\n' "$name" "$what"
	done <<<"$benches"
}

build_all() {
	local log
	log=$(mktemp)
	cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGRAVEL_SANITIZE= >"$log" 2>&1 &&
		cmake --build "$build" --target bench -j "$(nproc)" >>"$log" 2>&1 ||
		{ tail -n 40 "$log" >&2; rm -f "$log"; die "the build failed"; }
	rm -f "$log"
}

build=
body=
smoke=
duration=75
interval=15
pipeline=()
scale=()
gateway=()
durable=()
names=()
while [ $# -gt 0 ]; do
	case $1 in
	--duration | --targets | --interval | --groups | --body | --build | --part | --peer-targets | --log-folder) [ $# -ge 2 ] || die "$1 wants a value" ;;
	esac
	case $1 in
	-h | --help) usage; exit 0 ;;
	--list) list; exit 0 ;;
	--smoke) smoke=--smoke ;;
	--prometheus | --one-address) pipeline+=("$1") ;;
	--long) scale+=("$1") ;;
	--part | --peer-targets) scale+=("$1" "$2"); shift ;;
	--no-peer) gateway+=("$1"); scale+=("$1") ;;
	--duration) duration=$2; shift ;;
	--targets) pipeline+=(--targets "$2"); scale+=(--targets "$2"); shift ;;
	--interval) interval=$2; shift ;;
	--groups) gateway+=(--groups "$2"); durable+=(--groups "$2"); shift ;;
	--log-folder) log_folder=$(realpath -e "$2") || exit 2; durable+=(--log-folder "$log_folder"); shift ;;
	--body) body=$(realpath -e "$2") || exit 2; shift ;;
	--build) build=$(realpath -e "$2") || exit 2; shift ;;
	-*) die "unknown option $1 (see --help)" ;;
	*) list | cut -d' ' -f1 | grep -qxF -- "$1" || die "no bench is called '$1' (see --list)"; names+=("$1") ;;
	esac
	shift
done
[[ $duration =~ ^[0-9]+$ && $duration -gt 0 ]] || die "--duration wants whole seconds"
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(list | cut -d' ' -f1)
if [ -z "$build" ]; then
	build=$root/build-bench
	build_all
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$body" ] && [ "${names[*]}" != durable ]; then
	body=$work/body.txt
	python3 "$here/capture.py" "$body"
fi

failed=0
for name in "${names[@]}"; do
	case $name in
	pipeline)
		# Whole runs are comparable only with five windows; the duration is spread over them.
		[ -n "$smoke" ] || pipeline+=(--interval "$interval" --windows 5 --window "$(awk "BEGIN { print $duration / 5 }")")
		python3 "$here/pipeline.py" --build "$build" --body "$body" $smoke "${pipeline[@]}" || failed=1
		;;
	scale)
		python3 "$here/scale.py" --build "$build" --body "$body" $smoke --interval "$interval" "${scale[@]}" || failed=1
		;;
	gateway)
		python3 "$here/gateway.py" --build "$build" --body "$body" $smoke "${gateway[@]}" || failed=1
		;;
	durable)
		python3 "$here/durable.py" --build "$build" $smoke "${durable[@]}" || failed=1
		;;
	*)
		"$build/bench/bench_$name" --body "$body" $smoke || failed=1
		;;
	esac
done
exit $failed
