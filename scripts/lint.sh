#!/usr/bin/env bash
# Everything that can be said about the code without running it. A check that
# cannot be made fails; none is passed over.
#
#   scripts/lint.sh            all checks
#   scripts/lint.sh install    only the program that has to be built for them
#
# RUNNER_BOOTSTRAP_CI_CACHE  where golangci-lint is kept when the one on PATH is
#                            of another version (default: below XDG_CACHE_HOME)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

golangci_version=2.15.0
cache=${RUNNER_BOOTSTRAP_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/runner-bootstrap-ci}
platforms='linux darwin windows'
failed=()

# check NAME COMMAND...: every check is made, so that one run names all there is.
check() {
	local name=$1 started=$SECONDS
	shift
	printf -- '-- %s\n' "$name"
	if "$@"; then
		printf -- '-- %s: %d s\n' "$name" $((SECONDS - started))
	else
		failed+=("$name")
	fi
}

# What belongs to the repository, new files included. Read first and by itself:
# were git to fail inside a check, the check would pass on no files.
list=$(mktemp)
trap 'rm -f "$list"' EXIT
git ls-files --cached --others --exclude-standard --deduplicate -z >"$list"
go_files=() shell_files=()
while IFS= read -r -d '' file; do
	[[ -f $file ]] || continue # deleted, and that not yet committed
	[[ $file != *.go ]] || go_files+=("$file")
	# Scripts are found by their first line, so that a new one is not forgotten.
	IFS= read -r first <"$file" 2>/dev/null || true
	[[ ! $first =~ ^#!.*[/\ ](ba|da)?sh( |$) ]] || shell_files+=("$file")
done <"$list"

formatted() {
	local unformatted
	unformatted=$(gofmt -l "${go_files[@]}") || return
	[[ -z $unformatted ]] || {
		printf 'not formatted: %s\n' "${unformatted//$'\n'/ }"
		return 1
	}
}

golangci_found() {
	local candidate
	for candidate in "$cache/bin/golangci-lint" "$(type -P golangci-lint || true)"; do
		if [[ -x $candidate && $("$candidate" version --short) == "$golangci_version" ]]; then
			echo "$candidate"
			return
		fi
	done
	return 1
}

golangci_path() {
	golangci_found && return
	mkdir -p "$cache"
	exec {lock}>"$cache/lock"
	! type -P flock >/dev/null || flock "$lock"
	golangci_found && return # somebody else was at it
	# On stderr, for stdout carries the path.
	printf 'installing golangci-lint %s into %s (takes minutes, once)\n' "$golangci_version" "$cache/bin" >&2
	GOFLAGS=-trimpath GOBIN=$cache/bin \
		go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$golangci_version" >&2 || return
	echo "$cache/bin/golangci-lint"
}

# golangci has all of go vet in it, with the end-to-end tests (.golangci.yml).
golangci() {
	local program os status=0
	program=$(golangci_path) && "$program" config verify || return
	for os in $platforms; do
		printf 'for %s: ' "$os"
		GOOS=$os CGO_ENABLED=0 "$program" run --allow-parallel-runners ./... || status=1
	done
	return $status
}

shell() {
	printf '%d scripts\n' "${#shell_files[@]}"
	shellcheck --severity=style "${shell_files[@]}"
}

# words are those that people read: spelled as dictionaries have them, and none that scripts/words.txt has a plainer one for.
words() {
	local file documents=()
	while IFS= read -r -d '' file; do
		case $file in
		LICENSE* | THIRD_PARTY* | */testdata/* | scripts/words.txt) ;;
		*.md | *.yaml | *.yml | *.tf | *.hcl | *.sh | *.ps1 | *.txt) [[ ! -f $file ]] || documents+=("$file") ;;
		esac
	done <"$list"
	printf '%d documents\n' "${#documents[@]}"
	codespell --quiet-level 3 --dictionary - --dictionary scripts/words.txt "${documents[@]}"
}

if [[ ${1:-} == install ]]; then
	golangci_path >/dev/null
	exit
fi
check 'gofmt' formatted
check 'golangci-lint' golangci
check 'shellcheck' shell
check 'words' words
check 'prose' scripts/prose.sh
check 'go mod verify' go mod verify
check 'go mod tidy leaves no diff' go mod tidy -diff

if ((${#failed[@]} > 0)); then
	printf 'lint: failed:' >&2
	printf ' %s;' "${failed[@]}" >&2
	printf '\n' >&2
	exit 1
fi
