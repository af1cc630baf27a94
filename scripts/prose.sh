#!/usr/bin/env bash
# Reads the documents as somebody in a hurry does, by textlint: a sentence has 200 characters at most, the names of
# things are written as those who made them write them, and common mistakes of spelling are found.
#
#   scripts/prose.sh [FILE.md...]
#
# RUNNER_BOOTSTRAP_CI_CACHE   where textlint is kept, by its version (default: below XDG_CACHE_HOME)
#
# Needs Node.js, and npm, which is asked for packages by their names. Nothing of theirs is run at their installation.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(textlint@15.8.0 textlint-rule-sentence-length@5.2.1 textlint-rule-terminology@5.2.16 textlint-rule-common-misspellings@1.0.1)
cache=${RUNNER_BOOTSTRAP_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/runner-bootstrap-ci}
digest=$(printf '%s\n' "${packages[@]}" | sha256sum)
tree=$cache/textlint-${digest:0:12}

if [[ ! -d $tree ]]; then
	mkdir -p "$cache"
	part=$(mktemp -d "$cache/textlint.XXXXXX")
	trap 'rm -rf "$part"' EXIT
	printf '{"private": true}\n' >"$part/package.json"
	# On stderr, which nobody takes for findings.
	(cd "$part" && npm install --silent --no-audit --no-fund --ignore-scripts "${packages[@]}") >&2
	# Somebody else may have been faster.
	mv -T "$part" "$tree" 2>/dev/null || [[ -d $tree ]]
fi

if (($# == 0)); then
	mapfile -t found < <(git ls-files --cached --others --exclude-standard --deduplicate -- '*.md')
	set -- "${found[@]}"
fi
documents=()
for file in "$@"; do
	case $file in
	*/testdata/* | THIRD_PARTY.md) ;; # what others have written
	*) [[ ! -f $file ]] || documents+=("$PWD/$file") ;;
	esac
done
printf '%d documents\n' "${#documents[@]}"

cat >"$tree/rules.json" <<'RULES'
{
  "plugins": {"@textlint/markdown": true},
  "rules": {
    "sentence-length": {"max": 200, "skipUrlStringLink": true},
    "terminology": {
      "defaultTerms": false,
      "terms": ["GitHub", "systemd", "Linux", "macOS", "Windows", "cloud-init", "Terraform", "Packer", "PowerShell", "Debian", "OpenStack"]
    },
    "common-misspellings": true
  }
}
RULES
# Rules and plugins are looked for from where it runs.
cd "$tree"
node_modules/.bin/textlint --config rules.json --format unix "${documents[@]}"
