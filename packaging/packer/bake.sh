#!/bin/sh
# Puts the program and the runner into an image; Packer runs it as root. It finds install.sh
# in /tmp/runner-bootstrap, and beside it the package of the program, if there is to be one.
#
# PROGRAM_VERSION   release that install.sh fetches; needed where there is no package
# CHECKSUMS_SHA256  digest of that release's checksums.txt
# PACKAGES          further packages of the distribution, separated by blanks
# FIX               if not empty, doctor --fix installs the libraries that the runner needs
# FIRSTBOOT         if not empty, install runs at the first boot of each machine
#
# The variables of the program (RUNNER_BOOTSTRAP_...) say which runner is fetched, and from where.
set -eu

folder=/tmp/runner-bootstrap

package=
for file in "$folder"/*.deb "$folder"/*.rpm; do
	[ ! -f "$file" ] || package=$file
done
if [ -z "$package${PROGRAM_VERSION-}" ]; then
	echo 'bake.sh: say which program the image shall have: a package, or a program_version; the latest one would be another one tomorrow' >&2
	exit 2
fi
if [ -z "$package" ] && [ -z "${CHECKSUMS_SHA256-}" ]; then
	echo "bake.sh: the release $PROGRAM_VERSION needs its checksums_sha256: a person who can replace it could be root in your images otherwise" >&2
	exit 2
fi

# unlocked COMMAND...: begins again while another package manager, such as the first update of a new machine, holds
# a lock, for ten minutes. apt waits for some of its locks by itself, and for those of its lists and archives not.
unlocked() {
	said=$(mktemp)
	left=120
	until "$@" 2>"$said"; do
		cat "$said" >&2
		if ! grep -Eq 'Could not get lock|Unable to (lock|acquire)|transaction lock|System management is locked' "$said" || [ "$left" -eq 0 ]; then
			rm -f "$said"
			return 1
		fi
		echo 'bake.sh: waiting for a lock that another package manager holds' >&2
		left=$((left - 1))
		sleep 5
	done
	cat "$said" >&2
	rm -f "$said"
}

# add PACKAGE...: by the package manager that is there.
add() {
	if command -v apt-get >/dev/null; then
		DEBIAN_FRONTEND=noninteractive unlocked apt-get -y -o DPkg::Lock::Timeout=300 install "$@"
	elif command -v dnf >/dev/null; then
		unlocked dnf -y install "$@"
	elif command -v zypper >/dev/null; then
		unlocked zypper --non-interactive install --allow-unsigned-rpm "$@"
	else
		echo 'bake.sh: neither apt-get nor dnf nor zypper is here' >&2
		exit 3
	fi
}

# What cloud-init is about to do at this first boot would come between.
! command -v cloud-init >/dev/null || timeout 600 cloud-init status --wait >/dev/null || :

# Only what needs the lists fetches them: a package of ours depends on nothing.
if [ -n "${PACKAGES-}${FIX-}" ] && command -v apt-get >/dev/null; then
	unlocked apt-get -q update
fi
if [ -n "${PACKAGES-}" ]; then
	# shellcheck disable=SC2086 # a list of words
	add $PACKAGES
fi

if [ -n "$package" ]; then
	add "$package"
else
	sh "$folder/install.sh" --version "$PROGRAM_VERSION" --checksums-sha256 "$CHECKSUMS_SHA256"
fi
rm -rf "$folder"

[ -z "${FIX-}" ] || runner-bootstrap doctor --fix
runner-bootstrap prepare
# It is a part of the packages. Enabled by its name, it fails where there is none.
[ -z "${FIRSTBOOT-}" ] || systemctl enable runner-bootstrap-firstboot.service
