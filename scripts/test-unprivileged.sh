#!/usr/bin/env bash
# Runs the tests as a user who may do nothing, since root and others take
# different paths through the program.
#
#   scripts/test-unprivileged.sh [flags and packages of go test]
#
# Without a package that begins with ./ it tests all.
#
# Started by root, it works on a copy: that user can enter neither root's home,
# where the module and build caches usually are, nor perhaps this checkout. Root
# compiles, so that what was compiled before is not compiled again (with
# GOFLAGS=-trimpath, as a copy lies elsewhere), and that user runs the tests.
# Started by anybody else it is go test itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ " $*" == *' ./'* ]] || set -- "$@" ./...
if (($(id -u) != 0)); then
	exec go test "$@"
fi

user=nobody
group=$(id -gn "$user")
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
chmod 0755 "$box"
mkdir "$box/src" "$box/home" "$box/mod" "$box/tmp"

# dist and what .gitignore names otherwise may be large and is not needed.
tar --exclude=./.git --exclude=./dist -cf - . | tar -C "$box/src" -xf -

# For the tests that build programs. The modules come out of root's cache, over the
# proxy protocol that the cache is kept in; go.sum vouches for them. What is not
# there yet is fetched as usual.
download="$(go env GOMODCACHE)/cache/download"
(cd "$box/src" && GOMODCACHE="$box/mod" GOPROXY="file://$download,$(go env GOPROXY)" GOFLAGS=-modcacherw go mod download) >&2
# What was compiled is shared by its inodes, where that can be had: they stay root's,
# and that user adds his own.
cp -al "$(go env GOCACHE)" "$box/cache" 2>/dev/null || mkdir -p "$box/cache"
find "$box/cache" -type d -exec chown "$user:$group" {} +
chown -R "$user:$group" "$box/src" "$box/home" "$box/mod" "$box/tmp"

# Nothing of root's environment comes along but what CI asks of tests. A test's
# program lies where only root can enter.
cat >"$box/exec" <<EXEC
#!/bin/sh
program=\$1
shift
mine=\$(mktemp -d "$box/tmp/run-XXXXXX")
chmod 0755 "\$mine"
cp "\$program" "\$mine/"
status=0
setpriv --reuid="$user" --regid="$group" --clear-groups --inh-caps=-all -- \\
	env -i HOME="$box/home" TMPDIR="$box/tmp" PATH="$(go env GOROOT)/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" \\
	GOMODCACHE="$box/mod" GOCACHE="$box/cache" GOPROXY=off GOTOOLCHAIN=local GOFLAGS="$(go env GOFLAGS)" CI="${CI:-}" \\
	"\$mine/\${program##*/}" "\$@" || status=\$?
rm -rf "\$mine"
exit \$status
EXEC
chmod 0755 "$box/exec"
cd "$box/src"
go test -exec "$box/exec" "$@"
