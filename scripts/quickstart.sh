#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Gravel Streams in five minutes: a whole pipeline on this machine, from a target to /metrics.
#
# usage: scripts/quickstart.sh [--once] [--help]
#
#   --once  start everything, check that metrics flow and that a push arrives, stop; exit 0 if so, else 1
#   --help  this text
#
# Installs what is missing (apt-get or dnf), builds into build/, and starts nats-server with JetStream, node_exporter, gravel-poller
# and gravel-receiver, all on 127.0.0.1, with configuration, data and logs in a temporary folder. Where a usual port is taken a free one is
# used. Ctrl-C stops all of them and removes the folder; nothing else is left but build/.
set -uo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/deps.sh
. "$root/scripts/deps.sh"

once=0
work=
names=() # of the children, in the order of their start
pids=()

usage() { sed -n '4,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
step() { printf '==> %s\n' "$*"; }

# fail TEXT [LOGFILE]: say what went wrong, with the end of the log of who did it.
fail() {
	printf 'quickstart: %s\n' "$1" >&2
	if [ -n "${2:-}" ] && [ -s "$2" ]; then
		printf -- '--- the end of %s\n' "${2##*/}" >&2
		tail -n 25 -- "$2" >&2
	fi
	exit 1
}

# Only what this script started, by pid, the last one first; then its folder.
clean_up() {
	trap '' INT TERM
	local i tries
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		kill -TERM "${pids[i]}" 2>/dev/null || continue
		for ((tries = 0; tries < 100; tries++)); do
			kill -0 "${pids[i]}" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "${pids[i]}" 2>/dev/null
		wait "${pids[i]}" 2>/dev/null
	done
	[ -z "$work" ] || rm -rf -- "$work"
}

start() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 </dev/null &
	pids+=($!)
	names+=("$name")
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

ports=()
# pick_port DEFAULT: set $port to it, or to a free one when it is taken. Free ones are looked for below those of outgoing connections.
pick_port() {
	port=$1
	while listening "$port" || [[ " ${ports[*]} " == *" $port "* ]]; do
		port=$((20000 + RANDOM % 12000))
	done
	ports+=("$port")
}

fetch() { curl -fsS --noproxy '*' --max-time 10 "$@"; }
answers() { fetch -o /dev/null "$1" 2>/dev/null; }

# wait_for SECONDS NAME WHAT COMMAND...: until COMMAND succeeds, while the child NAME lives.
wait_for() {
	local tries=$(($1 * 10)) name=$2 what=$3
	shift 3
	while ! "$@"; do
		alive "$name" || fail "$name ended by itself" "$work/$name.log"
		[ $((tries--)) -gt 0 ] || fail "$what" "$work/$name.log"
		sleep 0.1
	done
}

alive() {
	local i
	for i in "${!names[@]}"; do
		[ "${names[i]}" != "$1" ] || { kill -0 "${pids[i]}" 2>/dev/null && return 0; }
	done
	return 1
}

build() {
	local log=$work/build.log cache=$root/build/CMakeCache.txt options=()
	# A build folder that is there keeps its own generator and options.
	[ -e "$cache" ] || options=(-G Ninja -DGRAVEL_TESTS=OFF)
	cmake -S "$root" -B "$root/build" "${options[@]}" >"$log" 2>&1 || fail "cmake failed" "$log"
	cmake --build "$root/build" --target gravel-poller gravel-receiver >>"$log" 2>&1 || fail "the build failed" "$log"
}

write_config() {
	cat >"$work/gravel.yml" <<-END
		identity: quickstart
		scrape_interval: 5s
		scrape_timeout: 4s
		monitor_port: $poller_port

		poller_stream:
		  urls: nats://127.0.0.1:$nats_port
		  topic: quickstart

		receiver_stream:
		  urls: nats://127.0.0.1:$nats_port
		  topic: quickstart

		receiver:
		  listen: 127.0.0.1:$receiver_port
		  log:
		    path: $work/receiver

		jobs:
		  $job:
		    targets:
		      - url: $target
	END
}

# flowing: whether a scrape of the job has arrived; its exposition is then in $work/metrics.
flowing() {
	fetch -o "$work/metrics" "http://127.0.0.1:$receiver_port/metrics" 2>/dev/null &&
		grep -Eq "^up\{([^}]*,)?job=\"$job\"[^}]*\} 1\$" "$work/metrics"
}

# report: what the exposition says about the flow.
report() {
	awk '
	function value(line) { sub(/.* /, "", line); return line + 0 }
	function plural(n, word) { return n " " word (n == 1 ? "" : "s") }
	/^#/ { next }
	/^up\{/ { targets++; up += value($0) }
	/^gravel_applied_samples_total\{[^}]*source="scrape"/ { samples = value($0) }
	/^gravel_applied_scrapes_total/ { scrapes = value($0) }
	/^gravel_received_bytes_total/ { bytes = value($0) }
	/^gravel_store_series/ { series = value($0) }
	/^gravel_scrape_age_seconds\{/ { v = value($0); if (age == "" || v > age) age = v }
	END {
		printf "  targets up          %d of %d\n", up, targets
		printf "  samples             %d in %s, %d series now\n", samples, plural(scrapes, "scrape"), series
		printf "  bytes on the wire   %d", bytes
		if (samples > 0) printf " (%.1f a sample)", bytes / samples
		printf "\n  age                 "
		if (age == "") print "unknown"; else printf "%.1f s since the oldest scrape that is served\n", age
	}' "$work/metrics"
}

# check: what --once promises beyond what has been waited for.
check() {
	local url=http://127.0.0.1:$receiver_port/metrics
	grep -Eq "^[a-z].*\{[^}]*job=\"$job\".*publisher=\"quickstart\"" "$work/metrics" ||
		fail "no series has job and publisher" "$work/gravel-receiver.log"
	printf '# TYPE quickstart_total counter\nquickstart_total 1\n' |
		fetch -o /dev/null --data-binary @- "$url/job/quickstart" || fail "a push was refused" "$work/gravel-receiver.log"
	fetch "$url" | grep -q '^quickstart_total{job="quickstart"} 1$' ||
		fail "a push did not arrive" "$work/gravel-receiver.log"
	step "checked: $job is scraped, streamed and served, and a push is counted"
}

prepare() {
	step "installing what is missing"
	gravel_deps_build || fail "what the build needs could not be installed"
	step "building into $root/build"
	build
	local peers=$root/build/peers
	# node_exporter is welcome but not needed: some distributions do not have it.
	eval "$(gravel_deps_peers "$peers" GRAVEL_NATS_SERVER GRAVEL_NODE_EXPORTER)"
	[ -n "${GRAVEL_NATS_SERVER:-}" ] || fail "there is no nats-server"
}

run_all() {
	pick_port 4222 && nats_port=$port
	pick_port 4278 && receiver_port=$port
	pick_port 4279 && poller_port=$port
	step "starting nats-server with JetStream on 127.0.0.1:$nats_port"
	start nats-server "$GRAVEL_NATS_SERVER" -js -a 127.0.0.1 -p "$nats_port" -sd "$work/jetstream"
	if [ -n "${GRAVEL_NODE_EXPORTER:-}" ]; then
		pick_port 9100 && node_port=$port
		job=node target=http://127.0.0.1:$node_port/metrics
		step "starting node_exporter on 127.0.0.1:$node_port"
		start node_exporter "$GRAVEL_NODE_EXPORTER" "--web.listen-address=127.0.0.1:$node_port"
		wait_for 20 node_exporter "node_exporter does not answer" answers "$target"
	else
		job=receiver target=http://127.0.0.1:$receiver_port/telemetry
		step "no node_exporter here: the receiver's own metrics are scraped instead"
	fi
	wait_for 20 nats-server "nats-server does not answer" listening "$nats_port"
	write_config
	step "starting gravel-receiver on 127.0.0.1:$receiver_port and gravel-poller on 127.0.0.1:$poller_port"
	start gravel-receiver "$root/build/bin/gravel-receiver" --config "$work/gravel.yml"
	start gravel-poller "$root/build/bin/gravel-poller" --config "$work/gravel.yml"
	wait_for 20 gravel-receiver "gravel-receiver does not answer" answers "http://127.0.0.1:$receiver_port/metrics"
	wait_for 20 gravel-poller "gravel-poller does not answer" answers "http://127.0.0.1:$poller_port/metrics"
	step "waiting for the first metrics"
	wait_for 30 gravel-poller "no metrics have arrived in 30 seconds" flowing
}

tell() {
	cat <<-END

		Flowing:
		$(report)

		Look:
		  http://127.0.0.1:$receiver_port/metrics      everything, for Prometheus
		  http://127.0.0.1:$receiver_port/telemetry    the receiver about itself
		  http://127.0.0.1:$poller_port/metrics      the poller about itself

		Push (try it three times):
		  echo 'jobs_done_total 1' | curl --data-binary @- http://127.0.0.1:$receiver_port/metrics/job/backup
		  curl -s http://127.0.0.1:$receiver_port/metrics | grep jobs_done_total

	END
}

main() {
	case "${1:-}" in
	'') ;;
	--once) once=1 ;;
	-h | --help) usage && exit 0 ;;
	*) printf 'unknown option: %s\n' "$1" >&2 && usage >&2 && exit 2 ;;
	esac
	trap clean_up EXIT
	trap 'printf "\n==> stopping\n"; exit 0' INT
	trap 'exit 143' TERM
	work=$(mktemp -d "${TMPDIR:-/tmp}/gravel-quickstart.XXXXXX") || fail "no temporary folder"
	prepare
	run_all
	tell
	if [ "$once" = 1 ]; then
		check
		exit 0
	fi
	step "configuration and logs are in $work; Ctrl-C stops everything"
	local i
	wait -n "${pids[@]}"
	for i in "${!names[@]}"; do
		alive "${names[i]}" || fail "${names[i]} ended by itself" "$work/${names[i]}.log"
	done
}

main "$@"
