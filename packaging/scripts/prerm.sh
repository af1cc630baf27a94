#!/bin/sh
# Before a removal. A runner is never removed silently: it may be at work, and taking
# it away from GitHub needs a token.
set -e

# deb says "remove" or "upgrade", rpm how many versions stay; apk calls this for
# removals alone, and gives the version.
case ${1:-} in
remove | 0 | *.*) ;;
*) exit 0 ;;
esac

names=
for record in /var/lib/runner-bootstrap/instances/*/record.json; do
	[ -e "$record" ] || continue
	record=${record%/record.json}
	names="$names ${record##*/}"
done
if [ -n "$names" ]; then
	cat >&2 <<END
runner-bootstrap: WARNING: the runners of this host stay:$names
Their services stay as well, go on while they run, and will fail at their next start,
as the program that they start is removed. GitHub goes on listing the runners.
To remove them, install this package again, and before you remove it, run:
    runner-bootstrap uninstall --all --token-file FILE
END
fi

# The units are about to go, and links to them would dangle. None is stopped: that
# would interrupt an install that is under way.
rm -f /etc/systemd/system/multi-user.target.wants/runner-bootstrap-firstboot.service \
	/etc/systemd/system/multi-user.target.wants/runner-bootstrap-firstboot.path
