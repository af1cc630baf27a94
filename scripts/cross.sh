#!/usr/bin/env bash
# Builds the program for each platform we ship to, and has vet look at it and its tests
# with the sizes of 32 bits. Refuses what makes the linker keep every method of every type.
#
#   scripts/cross.sh [GOOS/GOARCH...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if (($# == 0)); then
	set -- linux/amd64 linux/arm64 linux/arm darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
fi

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
	rm -r "$bin"
done
