#!/bin/sh
# Builds the root file system that the end-to-end tests boot, once a week.
#
#   e2e-root.sh KIND [OUT]
#
#   KIND   debian12 (systemd 252) or debian13 (systemd 257); with -cloud behind
#          it what the image of a cloud has beside that: cloud-init and curl; with
#          -build what jobs are made of: git, a compiler, Python, node; with -full
#          what a server has by which a job could reach beyond itself: polkit, cron,
#          at, sudo, and a little of what jobs are made of
#   OUT    a symbolic link to make to the finished tree
#
# Prints the path of the tree. Trees are kept in $RUNNER_BOOTSTRAP_E2E_CACHE
# (default: runner-bootstrap-e2e in $XDG_CACHE_HOME or ~/.cache), one for each
# kind, version of this script and ISO week, so that security updates arrive.
# Nobody may change a finished tree: tests lay an overlay on top of it.
#
# Needs root, and from apt: mmdebstrap. Safe to run at the same time as itself.
set -eu

usage() {
	echo "usage: e2e-root.sh debian12|debian13[-cloud|-build|-full] [OUT]" >&2
	exit 2
}

fail() {
	echo "e2e-root.sh: $*" >&2
	exit 1
}

# build KIND SUITE TREE: makes TREE by rename, or not at all.
build() {
	# The packages of a small server, without a network manager: the tests
	# give the machine a network that needs no configuration.
	packages=systemd,systemd-sysv,dbus,libpam-systemd,procps,iproute2,ca-certificates,passwd,libnss-extrausers
	case $1 in
	*-cloud) packages=$packages,cloud-init,python3,udev,curl,sudo ;;
	*-build) packages=$packages,git,gcc,libc6-dev,python3,nodejs ;;
	*-full) packages=$packages,polkitd,cron,at,sudo,git,tcc,libc6-dev,nodejs ;;
	esac
	part=$3.part
	rm -rf "$part"
	# A maintainer script that runs python must be able to compile, whatever
	# the caller's shell is set to; and one that asks must find nobody.
	unset PYTHONDONTWRITEBYTECODE
	mmdebstrap --quiet --variant=minbase --include="$packages" \
		--dpkgopt=force-unsafe-io \
		--dpkgopt=path-exclude='/usr/share/man/*' \
		--dpkgopt=path-exclude='/usr/share/doc/*' \
		--dpkgopt=path-exclude='/usr/share/locale/*' \
		"$2" "$part" </dev/null >&2 ||
		{
			rm -rf "$part"
			fail "building $1: mmdebstrap failed"
		}
	settle "$part"
	mv "$part" "$3"
}

# settle TREE: switches off what would act by the clock, so that two looks at
# an idle machine differ only by what was done to it in between.
settle() {
	units=$1/etc/systemd/system
	for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim systemd-tmpfiles-clean; do
		ln -sf /dev/null "$units/$timer.timer"
	done
	ln -sf /dev/null "$units/e2scrub_reap.service"
	rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
}

[ $# -eq 1 ] || [ $# -eq 2 ] || usage
kind=$1
case $kind in
debian12 | debian12-cloud | debian12-build | debian12-full) suite=bookworm ;;
debian13 | debian13-cloud | debian13-build | debian13-full) suite=trixie ;;
*) usage ;;
esac
[ "$(id -u)" -eq 0 ] || fail "must run as root: a tree holds files of several owners"
command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"

cache=${RUNNER_BOOTSTRAP_E2E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/runner-bootstrap-e2e}
digest=$(sha256sum <"$0" | cut -c1-12)
tree=$cache/$kind-$(date -u +%G-W%V)-$digest
mkdir -p "$cache"

exec 9>"$cache/$kind.lock"
flock 9
if [ ! -d "$tree" ]; then
	# Trees of other weeks and versions. Two weeks of grace, since a test may
	# still stand on one of them.
	find "$cache" -mindepth 1 -maxdepth 1 -name "$kind-2*" -ctime +14 -exec rm -rf {} +
	build "$kind" "$suite" "$tree"
fi
flock -u 9

if [ $# -eq 2 ]; then
	ln -sfn "$tree" "$2"
fi
echo "$tree"
