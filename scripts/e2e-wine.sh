#!/bin/sh
# Builds the root file system in which the tests run Windows programs, once a week:
# a Debian with Wine, and a Windows that Wine has set up.
#
#   e2e-wine.sh
#
# Prints the path of the tree. Wine's own folder, the prefix, is /root/pfx in it,
# and its C: is /root/pfx/drive_c. Trees are kept in $RUNNER_BOOTSTRAP_E2E_CACHE
# (default: runner-bootstrap-e2e in $XDG_CACHE_HOME or ~/.cache), one for each
# version of this script and ISO week, so that security updates arrive. Nobody may
# change a finished tree: tests lay an overlay on top of it.
#
# Needs root, and from apt: mmdebstrap. Safe to run at the same time as itself.
set -eu

# Wine 8 of Debian 12 cannot run programs that today's Go compiles.
suite=trixie
wine=/usr/lib/wine/wine64
server=/usr/lib/wine/wineserver64

fail() {
	echo "e2e-wine.sh: $*" >&2
	exit 1
}

# build TREE: makes TREE by rename, or not at all.
build() {
	part=$1.part
	rm -rf "$part"
	# A maintainer script that runs python must be able to compile, whatever
	# the caller's shell is set to; and one that asks must find nobody.
	unset PYTHONDONTWRITEBYTECODE
	mmdebstrap --quiet --variant=minbase --include=wine64,wine,procps,ca-certificates \
		--dpkgopt=force-unsafe-io \
		--dpkgopt=path-exclude='/usr/share/man/*' \
		--dpkgopt=path-exclude='/usr/share/doc/*' \
		--dpkgopt=path-exclude='/usr/share/locale/*' \
		"$suite" "$part" </dev/null >&2 ||
		{
			rm -rf "$part"
			fail "building the tree: mmdebstrap failed"
		}
	rm -rf "$part"/var/cache/apt/archives/*.deb "$part"/var/lib/apt/lists/*
	echo '127.0.0.1 localhost' >"$part/etc/hosts"
	prepare "$part" ||
		{
			rm -rf "$part"
			fail "setting up Windows: $(tail -n 5 "$log")"
		}
	mv "$part" "$1"
}

# prepare TREE: has Wine set up its Windows. It runs in namespaces of its own: what is
# mounted for it is gone with them, and so is everything that it started.
prepare() {
	# shellcheck disable=SC2016 # it is that shell's
	timeout 300 unshare --mount --pid --fork --kill-child -- sh -ec '
		mount --make-rprivate /
		mount -t proc proc "$1/proc"
		mount --rbind /dev "$1/dev"
		in_tree() {
			chroot "$tree" /usr/bin/env -i LANG=C.UTF-8 HOME=/root PATH=/usr/bin:/bin:/usr/sbin:/sbin \
				WINEPREFIX=/root/pfx WINEDEBUG=-all "WINEDLLOVERRIDES=mscoree,mshtml=" XDG_RUNTIME_DIR=/tmp "$@"
		}
		tree=$1
		in_tree "$2" wineboot -i
		in_tree "$3" -w # for what is not yet written
	' sh "$1" "$wine" "$server" </dev/null >"$log" 2>&1 || return
	[ -f "$1/root/pfx/system.reg" ] && [ -f "$1/root/pfx/drive_c/windows/system32/kernel32.dll" ]
}

[ $# -eq 0 ] || {
	echo "usage: e2e-wine.sh" >&2
	exit 2
}
[ "$(uname -m)" = x86_64 ] || fail "Wine runs the programs of x86_64 there alone"
[ "$(id -u)" -eq 0 ] || fail "must run as root: a tree holds files of several owners"
command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"

cache=${RUNNER_BOOTSTRAP_E2E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/runner-bootstrap-e2e}
digest=$(sha256sum <"$0" | cut -c1-12)
tree=$cache/wine-$(date -u +%G-W%V)-$digest
log=$cache/wine.log
mkdir -p "$cache"

exec 9>"$cache/wine.lock"
flock 9
if [ ! -d "$tree" ]; then
	# Trees of other weeks and versions. Two weeks of grace, since a test may
	# still stand on one of them.
	find "$cache" -mindepth 1 -maxdepth 1 -name 'wine-2*' -ctime +14 -exec rm -rf {} +
	build "$tree"
fi
flock -u 9
echo "$tree"
