#!/usr/bin/env bash
# Builds every program and compiles every test for each platform we ship to.
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
	# With a folder as output, every main package is linked as well. No flags, so
	# that vet, here and in lint.sh, finds what is compiled already.
	go build -o "$bin/" ./...
	# vet type-checks the tests too, and knows what is wrong on 32 bits only.
	go vet ./...
	[[ $GOOS != linux ]] || go vet -tags e2e ./...
	printf '%-14s %3d s  ' "$platform" $((SECONDS - started))
	# Fails where nothing was built: a platform without a program is a mistake.
	(cd "$bin" && du -h --apparent-size -- * | tr '\t\n' ' ;')
	printf '\n'
	rm -r "$bin"
done
