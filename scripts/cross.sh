#!/usr/bin/env bash
# Builds the program for each platform we ship to, and has vet look at it and its tests
# with the sizes of 32 bits. Refuses what makes the linker keep every method of every type,
# and a program that has grown without anybody deciding so.
#
#   scripts/cross.sh [GOOS/GOARCH...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if (($# == 0)); then
	set -- linux/amd64 linux/arm64 linux/arm darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
fi

# In bytes, for each platform, with its symbols: 2 % more than the largest has. Who needs more says in the commit for what.
most=22400000

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

export CGO_ENABLED=0
for platform in "$@"; do
	started=$SECONDS
	export GOOS=${platform%/*} GOARCH=${platform#*/}
	bin=$out/$GOOS-$GOARCH
	# The linker's list is long; it is an error's only where the build fails.
	go build -ldflags=-dumpdep -o "$bin/" ./cmd/... 2>"$out/dependencies" || {
		grep -v -e ' -> ' "$out/dependencies" >&2
		exit 1
	}
	# A function that calls methods by names which only the running program knows, as
	# templates do: no method can be left out any more, and the program has 5 MB more.
	if grep '<ReflectMethod> ->' "$out/dependencies" | cut -d ' ' -f 1 | sort -u | grep .; then
		printf '%s: these keep every method in the program\n' "$platform" >&2
		exit 1
	fi
	# lint.sh has looked at the tests for each system, but with 64 bits only.
	[[ $GOARCH != arm ]] || go vet ./cmd/... ./internal/...
	printf '%-14s %3d s  ' "$platform" $((SECONDS - started))
	# Fails where nothing was built: a platform without a program is a mistake.
	(cd "$bin" && du -h --apparent-size -- * | tr '\t\n' ' ;')
	printf '\n'
	if large=$(find "$bin" -type f -size "+${most}c" -printf '%f has %s bytes\n') && [[ $large ]]; then
		printf '%s: %s, of %d: see with go tool nm -size -sort size what it is made of\n' "$platform" "$large" "$most" >&2
		exit 1
	fi
	rm -r "$bin"
done
