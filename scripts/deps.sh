#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the project needs from the distribution. Sourced by the other scripts (functions gravel_deps_*), or run by hand:
#
#   scripts/deps.sh build             install what is needed to build and to run
#   scripts/deps.sh test              install what the tests need on top
#   scripts/deps.sh peers DIR [NAME]  find the servers that quickstart and the tests run against, as NAME=path lines for eval
#
# Nothing is installed that is there already, and nothing is asked of the package manager when nothing is missing.

GRAVEL_DEB_BUILD="gcc libc6-dev cmake ninja-build pkg-config curl libnats-dev libmicrohttpd-dev libcurl4-openssl-dev
	libzstd-dev zlib1g-dev libpcre2-dev libsqlite3-dev libssl-dev libxxhash-dev libyaml-dev libprotobuf-c-dev protobuf-c-compiler
	libjansson-dev libc-ares-dev"
# The two libraries at the end are what unbound, which is only unpacked, needs beside those of the build.
GRAVEL_DEB_TEST="libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-prometheus-client clang clang-format openssl zstd
	libevent-2.1-7 libpython3.11"

GRAVEL_EL_BUILD="gcc cmake ninja-build pkgconf-pkg-config curl libmicrohttpd-devel libcurl-devel libzstd-devel zlib-devel
	pcre2-devel sqlite-devel openssl-devel xxhash-devel libyaml-devel protobuf-c-devel protobuf-c-compiler
	jansson-devel c-ares-devel"
GRAVEL_EL_TEST="libcmocka-devel python3 python3-pytest python3-pytest-xdist clang clang-tools-extra openssl zstd libasan libubsan libtsan"

# variable, Debian package, path inside it, names under which it may be on PATH
GRAVEL_PEERS="
GRAVEL_NATS_SERVER nats-server usr/sbin/nats-server nats-server
GRAVEL_ETCD etcd-server usr/bin/etcd etcd
GRAVEL_UNBOUND unbound usr/sbin/unbound unbound
GRAVEL_NODE_EXPORTER prometheus-node-exporter usr/bin/prometheus-node-exporter prometheus-node-exporter node_exporter
GRAVEL_PROMETHEUS prometheus usr/bin/prometheus prometheus
GRAVEL_PROMTOOL prometheus usr/bin/promtool promtool
GRAVEL_PUSHGATEWAY prometheus-pushgateway usr/bin/prometheus-pushgateway prometheus-pushgateway pushgateway
"

gravel_deps_note() { printf '%s\n' "$*" >&2; }

# gravel_deps_quiet CMD...: its output only if it fails.
gravel_deps_quiet() {
	local said rc
	said=$("$@" 2>&1 </dev/null)
	rc=$?
	[ $rc = 0 ] || printf '%s\n' "$said" >&2
	return $rc
}

# gravel_deps_root CMD...: as root: directly, else by sudo.
gravel_deps_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		gravel_deps_note "root is needed for: $*"
		gravel_deps_note "Run this as root, or install sudo, or have an administrator run that line."
		return 1
	fi
}

gravel_deps_apt() { gravel_deps_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@"; }

gravel_deps_deb_installed() {
	[ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = "install ok installed" ]
}

gravel_deps_install_deb() {
	local p missing=()
	for p in "$@"; do
		gravel_deps_deb_installed "$p" || missing+=("$p")
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	gravel_deps_note "==> installing ${missing[*]}"
	# Old lists may still do (a machine without a network, a mirror that is down): the install itself decides.
	gravel_deps_quiet gravel_deps_apt update || gravel_deps_note "apt-get update failed; trying with the package lists that are here"
	gravel_deps_quiet gravel_deps_apt install -y --no-install-recommends "${missing[@]}" && return 0
	gravel_deps_note "These packages could not be installed: ${missing[*]}"
	return 1
}

gravel_deps_install_el() {
	local p repo missing=() repos=()
	for p in "$@"; do
		rpm -q --whatprovides "$p" >/dev/null 2>&1 || missing+=("$p")
	done
	if [ "${#missing[@]}" -gt 0 ]; then
		gravel_deps_note "==> installing ${missing[*]}"
		# The -devel packages stand in a repository that is off by default.
		for repo in crb powertools; do
			dnf -q repolist --all 2>/dev/null | grep -q "^$repo " && repos+=("--enablerepo=$repo")
		done
		gravel_deps_quiet gravel_deps_root dnf -q install -y --setopt=install_weak_deps=False "${repos[@]}" "${missing[@]}" || {
			gravel_deps_note "These packages could not be installed: ${missing[*]}"
			return 1
		}
	fi
	pkg-config --exists libnats 2>/dev/null && return 0
	gravel_deps_note "nats.c is missing and no EL package of it exists: build it from source (github.com/nats-io/nats.c, 3.4 or"
	gravel_deps_note "later), install it, and see to it that 'pkg-config --exists libnats' succeeds."
	return 1
}

# The lists are words to split.
# shellcheck disable=SC2086
gravel_deps_packages() {
	local deb=$1 el=$2
	if command -v apt-get >/dev/null; then
		gravel_deps_install_deb $deb
	elif command -v dnf >/dev/null; then
		gravel_deps_install_el $el
	else
		gravel_deps_note "Neither apt-get nor dnf is here. Install what these Debian packages hold:" $deb
		return 1
	fi
}

gravel_deps_build() { gravel_deps_packages "$GRAVEL_DEB_BUILD" "$GRAVEL_EL_BUILD"; }
gravel_deps_test() { gravel_deps_packages "$GRAVEL_DEB_BUILD $GRAVEL_DEB_TEST" "$GRAVEL_EL_BUILD $GRAVEL_EL_TEST"; }

# gravel_deps_unpack DIR PACKAGE: unpack a Debian package into DIR/PACKAGE. It is not installed, because its installation would start
# a service on this host, on the ports that belong to the user's own; all of these are single programs that need libc alone.
gravel_deps_unpack() {
	local dir=$1 package=$2 tmp
	mkdir -p "$dir" || return 1
	dir=$(cd -- "$dir" && pwd) || return 1
	tmp=$(mktemp -d "$dir/.unpack.XXXXXX") || return 1
	gravel_deps_note "==> downloading $package (unpacked in $dir, not installed)"
	# A machine without package lists, or with old ones, says so here: fetch them and try once more.
	gravel_deps_download "$tmp" "$package" 2>/dev/null ||
		{ gravel_deps_quiet gravel_deps_apt update && gravel_deps_quiet gravel_deps_download "$tmp" "$package"; } ||
		{ rm -rf "$tmp"; return 1; }
	dpkg-deb -x "$tmp"/*.deb "$tmp/root" && { [ -e "$dir/$package" ] || mv "$tmp/root" "$dir/$package"; }
	local rc=$?
	rm -rf "$tmp"
	return $rc
}

gravel_deps_download() { (cd -- "$1" && apt-get -qq -o APT::Sandbox::User=root download "$2" >/dev/null); }

# gravel_deps_peer DIR VARIABLE PACKAGE PATH COMMAND...: print VARIABLE=path.
gravel_deps_peer() {
	local dir=$1 variable=$2 package=$3 path=$4 found=${!2:-} command
	shift 4
	[ -x "$found" ] || found=
	for command in "$@"; do
		[ -n "$found" ] || found=$(command -v "$command" || true)
	done
	if [ -z "$found" ]; then
		if [ ! -x "$dir/$package/$path" ]; then
			if ! command -v apt-get >/dev/null; then
				gravel_deps_note "$1 is not on PATH and cannot be fetched without apt-get: install it, or set $variable to its path."
				return 1
			fi
			gravel_deps_unpack "$dir" "$package" || {
				gravel_deps_note "$package could not be fetched: install it, or set $variable to the path of $1."
				return 1
			}
		fi
		found=$(cd -- "$dir" && pwd)/$package/$path
	fi
	printf '%s=%q\n' "$variable" "$found"
}

# gravel_deps_peers DIR [VARIABLE...]: NAME=path for each of those (all without names). Fails if one is missing; the others are printed.
gravel_deps_peers() {
	local dir=$1 rc=0 variable package path commands
	shift
	while read -r variable package path commands; do
		[ -n "$variable" ] || continue
		[ $# = 0 ] || case " $* " in *" $variable "*) ;; *) continue ;; esac
		# shellcheck disable=SC2086
		gravel_deps_peer "$dir" "$variable" "$package" "$path" $commands </dev/null || rc=1
	done <<<"$GRAVEL_PEERS"
	return $rc
}

gravel_deps_main() {
	case "${1:-}" in
	build) gravel_deps_build ;;
	test) gravel_deps_test ;;
	peers)
		[ $# -ge 2 ] || { gravel_deps_note "usage: deps.sh peers DIR [VARIABLE...]"; return 2; }
		shift
		gravel_deps_peers "$@"
		;;
	-h | --help) sed -n '4,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
	*)
		gravel_deps_note "usage: deps.sh build | test | peers DIR [VARIABLE...]"
		return 2
		;;
	esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -uo pipefail
	gravel_deps_main "$@"
fi
