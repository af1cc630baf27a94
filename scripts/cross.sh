#!/usr/bin/env bash
# Builds the program for each platform we ship to, and has vet look at it and its tests
# with the sizes of 32 bits.
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
	go build -o "$bin/" ./cmd/...
	# lint.sh has looked at the tests for each system, but with 64 bits only.
	[[ $GOARCH != arm ]] || go vet ./cmd/... ./internal/...
	printf '%-14s %3d s  ' "$platform" $((SECONDS - started))
	# Fails where nothing was built: a platform without a program is a mistake.
	(cd "$bin" && du -h --apparent-size -- * | tr '\t\n' ' ;')
	printf '\n'
	rm -r "$bin"
done
