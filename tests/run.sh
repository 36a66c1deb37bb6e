#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, builds, and runs every test.
#
# usage: tests/run.sh [--quick] [--sanitize address|thread] [--torture SECONDS] [-k EXPR]... [--help]
#
#   (none)                gcc with -Werror: all tests; again with ASan+UBSan; clang with -Werror; TSan where threads meet
#   --quick               gcc with -Werror and all tests, once
#   --sanitize address    the build with ASan+UBSan and all tests, nothing else
#   --sanitize thread     the build with TSan, the unit tests of the modules with threads and the main end-to-end tests, nothing else
#   --torture SECONDS     the store against its model for so long, half of it with ASan+UBSan, and a million series that come and go for 50 hours;
#                         then pushes that must count once while all around them is killed, for as long again and 200 times at least
#   -k EXPR               of the end-to-end tests only those that fit (pytest -k); of the others none
#
# The last line is "N passed, N failed"; the exit status is 0 when none failed. GRAVEL_* variables (scripts/deps.sh peers) name servers to use
# instead of those of the distribution.
set -uo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/deps.sh
. "$root/scripts/deps.sh"

quick=0
torture=
sanitize=
expressions=()
passed=0
failed=0
failures=()
out=
targets=
declare -A builders=() # process groups of what is built behind the tests, by folder

# The folders of the tests that run against our programs, seen from the first.
suites=(. ../oracle ../torture)

# The modules that start threads or are called from several.
threaded='^unit/(base/lock|log|telemetry|bus|journal|scrape|discovery|web|ingest|relay)'

usage() { sed -n '4,17s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
step() { printf '\n==> [%ds] %s\n' "$SECONDS" "$*"; }

count() { passed=$((passed + $1)) failed=$((failed + $2)); }

# note WHAT: one failure that is no test's own.
note() { failures+=("$1") && count 0 1; }

# compile DIR OPTION...: configure and build, with what $targets names (everything when it is empty). All that is said stands in DIR/build.log.
compile() {
	local dir=$1 generator=() names=()
	shift
	mkdir -p "$dir"
	[ -e "$dir/CMakeCache.txt" ] || generator=(-G Ninja)
	{
		cmake -S "$root" -B "$dir" "${generator[@]}" -DGRAVEL_TESTS=ON "$@" || return
		[ -z "$targets" ] || mapfile -t names < <("$targets" "$dir")
		[ -z "$targets" ] || names=(--target "${names[@]}")
		cmake --build "$dir" "${names[@]}"
	} >"$dir/build.log" 2>&1
}

# behind DIR OPTION...: begin that build while tests run that wait more than they compute, and get out of their way. In a group of its own,
# so that it can be ended. Who wants its result asks configure_and_build for it.
behind() {
	set -m
	(renice -n 19 -p "$BASHPID" >/dev/null && compile "$@") </dev/null &
	set +m
	builders[$1]=$!
}

end_builders() {
	local pid
	for pid in "${builders[@]}"; do kill -- "-$pid" 2>/dev/null; done
}

# configure_and_build DIR OPTION...: silent when all is well.
configure_and_build() {
	local dir=$1 pid=${builders[$1]:-} rc
	step "building in ${dir#"$root"/} (${*:2})"
	if [ -n "$pid" ]; then
		# It is waited for from here on.
		renice -n 0 -g "$pid" >/dev/null 2>&1
		wait "$pid"
		rc=$?
		unset "builders[$dir]"
	else
		compile "$@"
		rc=$?
	fi
	if [ "$rc" = 0 ]; then
		count 1 0
		return 0
	fi
	tail -n 60 "$dir/build.log"
	note "build in ${dir#"$root"/}"
	return 1
}

# run_ctest DIR OPTION...
run_ctest() {
	local dir=$1 rc
	shift
	step "unit tests of ${dir#"$root"/}"
	(cd "$dir" && "${prefix[@]}" ctest --output-on-failure -j "$jobs" --timeout 300 "$@") | tee "$out" | grep -v ' Passed \|^ *Start '
	rc=${PIPESTATUS[0]}
	# "98% tests passed, 1 tests failed out of 50"
	local bad all
	read -r bad all < <(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of \([0-9]*\).*/\1 \2/p' "$out") || { bad=0 all=0; }
	count $((all - bad)) "$bad"
	if [ "$bad" -gt 0 ]; then
		failures+=("$bad unit tests of ${dir#"$root"/}")
	elif [ "$rc" != 0 ] || [ "$all" = 0 ]; then
		note "ctest in ${dir#"$root"/}"
	fi
}

# run_e2e DIR SLOW OPTION...: with the programs of that build folder; the options name the tests.
run_e2e() {
	local dir=$1 slow=$2 rc good bad
	shift 2
	step "end-to-end tests with ${dir#"$root"/}"
	(
		export GRAVEL_TEST_SLOW=$slow PYTHONDONTWRITEBYTECODE=1
		[ "$dir" = "$root/build" ] || export GRAVEL_BIN=$dir/bin
		cd "$root/tests/e2e" && "${prefix[@]}" "$python" -m pytest -q -c pytest.ini "${parallel[@]}" "$@"
	) | tee "$out"
	rc=${PIPESTATUS[0]}
	good=$(tally passed) bad=$(($(tally failed) + $(tally errors\\?)))
	count "$good" "$bad"
	if [ "$bad" -gt 0 ]; then
		failures+=("$bad end-to-end tests with ${dir#"$root"/}")
	elif [ "$rc" != 0 ]; then
		note "pytest with ${dir#"$root"/} (exit status $rc)"
	fi
}

# tally WORD: the number before it in pytest's last line, or 0.
tally() { tail -n 1 "$out" | sed -n "s/.*[^0-9]\{0,1\}\b\([0-9]\{1,\}\) $1\b.*/\1/p" | grep . || echo 0; }

# Each of these builds: configure_and_build, or behind.
plain() { configure_and_build "$root/build" -DGRAVEL_WERROR=ON -DGRAVEL_SANITIZE=; }

# With -O1, as is usual with ASan; lines are what its reports need. What gcc then says of uninitialised variables and of
# texts that may be cut is guessed from code that is optimised less, and instrumented; the plain build is asked for it.
build_asan() {
	"$1" "$root/build-asan" -DCMAKE_C_COMPILER=gcc -DGRAVEL_WERROR=ON -DGRAVEL_SANITIZE=address \
		"-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O1 -g1 -Wno-error=maybe-uninitialized -Wno-error=format-truncation"
}

# For the warnings alone, which the optimizer has no part in. Nothing of it runs.
build_clang() { "$1" "$root/build-clang" -DCMAKE_C_COMPILER=clang -DGRAVEL_WERROR=ON -DCMAKE_C_FLAGS_RELWITHDEBINFO=-O0; }

# Only what is run.
build_tsan() {
	local targets=tsan_targets
	"$1" "$root/build-tsan" -DCMAKE_C_COMPILER=gcc -DGRAVEL_SANITIZE=thread "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O1 -g1"
}

tsan_targets() {
	printf '%s\n' gravel-poller gravel-receiver gravelctl
	(cd "$1" && ctest -N -R "$threaded") | sed -n 's,^ *Test *#[0-9]*: unit/\([^/]*\)/\(.*\)$,test_\1_\2,p'
}

with_asan() {
	build_asan configure_and_build || return
	run_ctest "$root/build-asan"
	run_e2e "$root/build-asan" 3 "${suites[@]}"
}

with_tsan() {
	build_tsan configure_and_build || return
	# TSan cannot place its shadow where a kernel randomises addresses widely.
	local prefix=()
	setarch "$(uname -m)" -R true 2>/dev/null && prefix=(setarch "$(uname -m)" -R)
	run_ctest "$root/build-tsan" -R "$threaded"
	run_e2e "$root/build-tsan" 4 test_push.py test_pipeline.py test_recovery.py
}

# tell WHAT COMMAND...: one test.
tell() {
	step "$1"
	shift
	if "$@"; then count 1 0; else note "$*"; fi
}

# The seed is the time, so that every run is another one; what fails prints how it is repeated.
with_torture() {
	local each=$((torture / 2))
	plain || return
	tell "the store against its model" "$root/build/tests/model_store" --seed "$(date +%s)" --seconds "$each"
	tell "series that come and go" "$root/build/tests/model_churn" --series 1000000
	local dying=("$python" "$root/tests/torture/torture.py")
	tell "a receiver that is killed" "${dying[@]}" --seconds $((torture * 2 / 5)) --kills 200
	tell "a receiver on a small file system" "${dying[@]}" --world small --seconds $((torture / 5)) --kills 20
	tell "a poller, a receiver and NATS that are killed" "${dying[@]}" --world edge --seconds $((torture / 5)) --kills 20
	tell "the same with three nats-servers" "${dying[@]}" --world edge --nats 3 --seconds $((torture / 5)) --kills 20
	tell "receivers on a stream that are killed" "${dying[@]}" --world stream --seconds $((torture / 5)) --kills 20
	tell "the same with three nats-servers" "${dying[@]}" --world stream --nats 3 --seconds $((torture / 5)) --kills 20
	tell "a receiver that is killed at every write" "${dying[@]}" --every-write --seconds 0
	build_asan configure_and_build || return
	tell "the store against its model, with ASan" "$root/build-asan/tests/model_store" --seed "$(date +%s)" --seconds "$each"
}

everything() {
	local ready=0
	plain && ready=1
	[ "$quick" = 1 ] || build_asan behind
	if [ "$ready" = 1 ]; then
		run_ctest "$root/build"
		run_e2e "$root/build" 1 "${suites[@]}"
	fi
	[ "$quick" = 0 ] || return
	if build_asan configure_and_build; then
		build_tsan behind
		build_clang behind
		run_ctest "$root/build-asan"
		run_e2e "$root/build-asan" 3 "${suites[@]}"
	fi
	build_clang configure_and_build
	with_tsan
}

parse_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--quick) quick=1 ;;
		--sanitize)
			sanitize=${2:-}
			[[ "$sanitize" == address || "$sanitize" == thread ]] || { usage >&2; exit 2; }
			shift
			;;
		--torture)
			torture=${2:-}
			[[ "$torture" =~ ^[1-9][0-9]*$ ]] || { usage >&2; exit 2; }
			shift
			;;
		-k)
			[ $# -ge 2 ] || { usage >&2; exit 2; }
			expressions+=("$2")
			shift
			;;
		-h | --help) usage && exit 0 ;;
		*) printf 'unknown option: %s\n' "$1" >&2 && usage >&2 && exit 2 ;;
		esac
		shift
	done
}

main() {
	parse_options "$@"
	step "installing what is missing"
	gravel_deps_test || { note "installation" && finish; }
	# Not one that stands in front of it on PATH: pytest comes from the distribution.
	python=/usr/bin/python3
	jobs=$(getconf _NPROCESSORS_ONLN)
	prefix=()
	# These tests wait more than they compute.
	parallel=()
	"$python" -c 'import xdist' 2>/dev/null && parallel=(-n "$((jobs * 2 > 8 ? 8 : jobs * 2))")
	eval "$(gravel_deps_peers "$root/build/peers" | sed 's/^/export /')"
	out=$(mktemp) || exit 1
	trap 'end_builders; rm -f "$out"' EXIT
	if [ -n "$torture" ]; then
		with_torture
	elif [ "${#expressions[@]}" -gt 0 ]; then
		local joined
		joined=$(printf ' or (%s)' "${expressions[@]}")
		case $sanitize in
		address)
			build_asan configure_and_build &&
				run_e2e "$root/build-asan" 3 "${suites[@]}" -k "${joined# or }"
			;;
		*) plain && run_e2e "$root/build" 1 "${suites[@]}" -k "${joined# or }" ;;
		esac
	else
		case $sanitize in
		address) with_asan ;;
		thread) with_tsan ;;
		*) everything ;;
		esac
	fi
	finish
}

finish() {
	printf '\n==> [%ds] done\n' "$SECONDS"
	[ "${#failures[@]}" = 0 ] || printf 'failed: %s\n' "${failures[@]}"
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
	exit
}

main "$@"
