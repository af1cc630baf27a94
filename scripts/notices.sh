#!/usr/bin/env bash
# Writes the licence and notice texts of everything that is linked into the
# program: MIT, BSD, Zlib and Apache-2.0 ask that they come with it.
#
#   scripts/notices.sh > dist/NOTICES.txt
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# linked prints module, version and folder of every linked package, tab-separated.
linked() {
	local os
	for os in linux darwin windows; do
		# shellcheck disable=SC2016 # the dollar is of Go's template
		GOOS=$os CGO_ENABLED=0 go list -deps \
			-f '{{with .Module}}{{if not .Main}}{{.Path}}	{{.Version}}	{{.Dir}}	{{$.Dir}}{{end}}{{end}}' \
			./cmd/runner-bootstrap
	done | sort -u
}

# texts prints the licence and notice files of a folder, if there are any.
texts() {
	find "$1" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) | sort
}

show() {
	printf '\n%s\n%s %s: %s\n%s\n\n' "$rule" "$1" "$2" "$3" "$rule"
	cat "$4"
}

rule=$(printf '=%.0s' {1..80})
packages=$(linked)
[[ -n $packages ]] || {
	echo 'notices: the program links no module: that cannot be' >&2
	exit 1
}

echo 'runner-bootstrap contains the software named below, under the terms given with each.'
echo 'Where the source of each is: THIRD_PARTY.md.'
show 'The Go standard library and runtime' "$(go env GOVERSION)" LICENSE "$(go env GOROOT)/LICENSE"

declare -A shown=()
while IFS=$'\t' read -r module version root package; do
	found=$(texts "$root")
	[[ -n $found ]] || {
		printf 'notices: %s %s has no licence file in %s\n' "$module" "$version" "$root" >&2
		exit 1
	}
	# A package may have terms of its own, as those taken from elsewhere do.
	[[ $package == "$root" ]] || found+=$'\n'$(texts "$package")
	while IFS= read -r file; do
		[[ -n $file && -z ${shown[$file]:-} ]] || continue
		shown[$file]=1
		show "$module" "$version" "${file#"$root/"}" "$file"
	done <<<"$found"
done <<<"$packages"
