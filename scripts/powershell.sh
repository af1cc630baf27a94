#!/usr/bin/env bash
# Reads scripts of PowerShell where there is none, and says what is wrong with them:
#
#   scripts/powershell.sh FILE...
#
# Syntax of Windows PowerShell 5.1, which 7 has as well; characters that 5.1 would misread;
# variables that nothing sets; commands that are neither in the file nor known to
# scripts/powershell.mjs; and parameters that they do not have. It does not run anything.
#
# RUNNER_BOOTSTRAP_CI_CACHE   where the parser is kept, by its digests (default: below
#                             XDG_CACHE_HOME)
#
# Needs Node.js, and npm, which is asked for two packages by their names.
set -euo pipefail

packages=(
	tree-sitter-powershell@0.26.4 92f0ce6497f1456248eb1a2d74c567cdfb1328cccd573c1a48d1b7c4e76b53e3
	web-tree-sitter@0.27.2 0b1d1b2edcc1476c7b1710a2a4589eef9ca9cf461baa50f89956d57530964362
)
cache=${RUNNER_BOOTSTRAP_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/runner-bootstrap-ci}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
	printf 'powershell.sh: %s\n' "$*" >&2
	exit 1
}

# fetch PACKAGE DIGEST: prints the folder of it.
fetch() {
	local name=${1%@*} tree part
	tree=$cache/$name-${2:0:12}
	if [[ ! -d $tree ]]; then
		part=$(mktemp -d "$cache/$name.XXXXXX")
		(cd "$part" && npm pack --silent "$1" >/dev/null) || fail "fetching $1 failed"
		echo "$2  $(echo "$part"/*.tgz)" | sha256sum --check --quiet >&2 || fail "$1 is not what it was"
		mkdir "$part/tree"
		tar -xzf "$part"/*.tgz -C "$part/tree" --strip-components=1 --no-same-owner
		# Somebody else may have been faster.
		mv -T "$part/tree" "$tree" 2>/dev/null || [[ -d $tree ]] || fail "there is no place for $1 in $cache"
		rm -rf "$part"
	fi
	echo "$tree"
}

(($# > 0)) || {
	sed -n '4s/^# *//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}
command -v npm >/dev/null || fail 'npm is missing: apt-get install npm'
mkdir -p "$cache"
grammar=$(fetch "${packages[@]:0:2}")
parser=$(fetch "${packages[@]:2:2}")
# The parser runs for less than a second; without this it is compiled with care for ten more.
exec node --liftoff-only "$here/powershell.mjs" "$parser/web-tree-sitter.js" "$grammar/tree-sitter-powershell.wasm" "$@"
