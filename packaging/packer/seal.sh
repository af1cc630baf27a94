#!/bin/sh
# Takes away what every machine of an image would share, and lets the program look whether
# a secret or a runner is left; Packer runs it as root, at the end.
set -eu

# The ways in are those of the image's maker. Each machine gets its own by its cloud.
rm -f /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys
for name in .bash_history .zsh_history .python_history .node_repl_history .psql_history .lesshst .viminfo; do
	rm -f "/root/$name" /home/*/"$name"
done

# unlocked COMMAND...: begins again while another package manager, such as one that updates the machine by itself, holds a lock,
# for ten minutes. What it does then would be half done in the image.
unlocked() {
	said=$(mktemp)
	left=120
	until "$@" 2>"$said"; do
		cat "$said" >&2
		if ! grep -Eq 'Could not get lock|Unable to (lock|acquire)|transaction lock|System management is locked' "$said" || [ "$left" -eq 0 ]; then
			rm -f "$said"
			return 1
		fi
		echo 'seal.sh: waiting for a lock that another package manager holds' >&2
		left=$((left - 1))
		sleep 5
	done
	cat "$said" >&2
	rm -f "$said"
}
if command -v apt-get >/dev/null; then
	unlocked apt-get -qq check
	unlocked apt-get clean
fi
! command -v dnf >/dev/null || unlocked dnf -q clean all
! command -v zypper >/dev/null || unlocked zypper --quiet clean --all

# What it remembers is the user data of this machine, and that the first boot is over.
! command -v cloud-init >/dev/null || cloud-init clean --logs

# An empty file, not none: systemd then makes an identity for each machine.
: >/etc/machine-id
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id

# This machine's journal, of which long entries are compressed and so cannot be looked into.
! command -v journalctl >/dev/null || journalctl --quiet --rotate --vacuum-time=1s || :

rm -f "$0"
exec runner-bootstrap prepare --seal --fix
