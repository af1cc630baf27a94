#!/bin/sh
# After an installation or an upgrade. Runners go on as they are: their supervisors
# take the new program at their own next start.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
