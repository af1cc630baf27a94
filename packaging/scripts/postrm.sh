#!/bin/sh
# After a removal. Only deb knows a purge; rpm and apk leave what is below.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
[ "${1:-}" = purge ] || exit 0

rm -rf /etc/runner-bootstrap /var/cache/runner-bootstrap /var/lib/runner-bootstrap-firstboot
# The record is how a runner can still be taken away; without one, what is left is a
# lock, and at most a token for an hour.
for record in /var/lib/runner-bootstrap/instances/*/record.json; do
	if [ -e "$record" ]; then
		echo 'runner-bootstrap: /var/lib/runner-bootstrap stays, as runners of this host are recorded there' >&2
		exit 0
	fi
done
rm -rf /var/lib/runner-bootstrap
