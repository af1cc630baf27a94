#!/usr/bin/env bash
# Makes everything that a release consists of. Two runs on one commit, with the same
# Go, give the same bytes.
#
#   scripts/package.sh VERSION [OUTDIR [OS/ARCH...]]
#   scripts/package.sh --texts VERSION DIR
#
#   VERSION   such as 1.2.3 or 1.2.3-rc.1
#   OUTDIR    is replaced (default: dist); archives for every platform, deb, rpm and
#             apk for Linux, msi for Windows, runner-bootstrap.cdx.json (what is in the programs),
#             runner-bootstrap.rb for Homebrew, runner-bootstrap.json for Scoop, three
#             manifests for winget, a nupkg for Chocolatey, an archive that shows on a
#             Windows what no other system shows (scripts/prove-windows.ps1),
#             Containerfile, install.sh and install.ps1, and checksums.txt over all
#   --texts   only what goes into the packages beside the program, into DIR
#
# What is for Windows is signed if there is a certificate, and then differs from run to run, as signatures do:
#
# RUNNER_BOOTSTRAP_SIGN_CERTIFICATE     a PKCS#12 file (.pfx, .p12) with the certificate, its chain, and the key
# RUNNER_BOOTSTRAP_SIGN_PASSWORD_FILE   a file with the password of that one, and nothing else
# RUNNER_BOOTSTRAP_SIGN_TIMESTAMP_URL   the RFC 3161 server that says when; or the word none, and signatures are worth
#                                       nothing once the certificate has expired
#
# SOURCE_DATE_EPOCH           the time that everything bears (default: the commit's)
# RUNNER_BOOTSTRAP_CI_CACHE   where nfpm is kept when the one on PATH is of another
#                             version (default: below XDG_CACHE_HOME)
#
# Needs Go, GNU tar, gzip, jq, zip, and for Windows msitools and gcab; osslsigncode to sign.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

nfpm_version=2.43.0
cache=${RUNNER_BOOTSTRAP_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/runner-bootstrap-ci}
platforms='linux/amd64 linux/arm64 linux/arm darwin/amd64 darwin/arm64 windows/amd64 windows/arm64'

fail() {
	printf 'package.sh: %s\n' "$*" >&2
	exit 1
}

# usage exits with 2.
usage() {
	sed -n '5,6s/^# *//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# Whatever the caller's shell is set to, the same program is built.
export CGO_ENABLED=0 GOFLAGS='' GOAMD64=v1 GOARM64=v8.0 GOARM=7 GOEXPERIMENT='' TZ=UTC LC_ALL=C
unset GOOS GOARCH
umask 022

# compile OS ARCH FILE. The version is the only thing that is said from outside; whether
# files were changed since the commit would differ between two runs. HTTP/2, which the
# program does not speak, is left out: it would be 4 % of it.
compile() {
	GOOS=$1 GOARCH=$2 go build -tags=nethttpomithttp2 -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$3" ./cmd/runner-bootstrap
}

# prove ARCH: the archive that is unpacked on a Windows to see there how all of it goes.
prove() {
	local folder=$work/prove
	local files=(LICENSE github.exe install.ps1 listener.exe prove-windows.ps1 runner-bootstrap.exe)
	rm -rf "$folder" && mkdir "$folder"
	GOOS=windows GOARCH=$1 go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o "$folder/github.exe" ./internal/demo/github
	GOOS=windows GOARCH=$1 go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o "$folder/listener.exe" ./internal/githubtest/listener
	cp LICENSE scripts/install.ps1 scripts/prove-windows.ps1 "$work/windows-$1/runner-bootstrap.exe" "$folder"
	sign "$folder/github.exe" && sign "$folder/listener.exe"
	sign_script "$folder/install.ps1" && sign_script "$folder/prove-windows.ps1"
	chmod 644 "$folder"/* && chmod 755 "$folder"/*.exe
	touch -d "@$SOURCE_DATE_EPOCH" "$folder"/*
	(cd "$folder" && zip -qX9 - "${files[@]}") >"$work/out/runner-bootstrap-prove_windows_$1.zip"
}

# texts DIR: what the packages hold beside the program.
texts() {
	mkdir -p "$1"
	compile "$(go env GOHOSTOS)" "$(go env GOHOSTARCH)" "$1/host"
	"$1/host" manual "$1"
	rm "$1/host"
	gzip -9n <"$1/runner-bootstrap.1" >"$1/runner-bootstrap.1.gz"
	scripts/notices.sh >"$1/NOTICES"
	# Debian wants to know of each version by a file of this form.
	printf 'runner-bootstrap (%s) unstable; urgency=medium\n\n  * %s\n\n -- %s  %s\n' "${version/-/\~}" \
		"See https://github.com/runner-bootstrap/runner-bootstrap/releases/tag/v$version" \
		"$(sed -n 's/^maintainer: //p' packaging/nfpm.yaml)" "$(date -uRd "@$SOURCE_DATE_EPOCH")" |
		gzip -9n >"$1/changelog.gz"
}

# architecture ARCH: as names of files say it. Three of the ARM kinds are called arm.
architecture() {
	case $1 in
	arm) echo armv7 ;;
	*) echo "$1" ;;
	esac
}

# sign FILE: by the certificate, if one is given. The password is in no command line.
sign() {
	local stamp=()
	[[ -n ${RUNNER_BOOTSTRAP_SIGN_CERTIFICATE:-} ]] || return 0
	[[ $RUNNER_BOOTSTRAP_SIGN_TIMESTAMP_URL == none ]] || stamp=(-ts "$RUNNER_BOOTSTRAP_SIGN_TIMESTAMP_URL")
	osslsigncode sign -pkcs12 "$RUNNER_BOOTSTRAP_SIGN_CERTIFICATE" -readpass "$RUNNER_BOOTSTRAP_SIGN_PASSWORD_FILE" -h sha256 \
		-n runner-bootstrap -i https://github.com/runner-bootstrap/runner-bootstrap "${stamp[@]}" -in "$1" -out "$1.signed" >"$work/sign.log" 2>&1 ||
		fail "signing ${1##*/}: $(tr '\n' ' ' <"$work/sign.log")"
	mv "$1.signed" "$1"
}

# sign_script FILE: signs a script of PowerShell, which osslsigncode before 2.8 cannot. Then that is said.
sign_script() {
	[[ -n ${RUNNER_BOOTSTRAP_SIGN_CERTIFICATE:-} ]] || return 0
	if [[ $(osslsigncode --version 2>&1) =~ osslsigncode[[:space:]]([3-9]|2\.([89]|[1-9][0-9])) ]]; then
		sign "$1"
	else
		printf '%s stays without a signature: osslsigncode 2.8 or newer is needed for it\n' "${1##*/}" >&2
	fi
}

# signable fails early where a certificate is given and something that it needs is not.
signable() {
	[[ -n ${RUNNER_BOOTSTRAP_SIGN_CERTIFICATE:-} ]] || return 0
	type -P osslsigncode >/dev/null || fail 'to sign, osslsigncode is needed: apt-get install osslsigncode'
	[[ -r $RUNNER_BOOTSTRAP_SIGN_CERTIFICATE ]] || fail "the certificate cannot be read: $RUNNER_BOOTSTRAP_SIGN_CERTIFICATE"
	[[ -r ${RUNNER_BOOTSTRAP_SIGN_PASSWORD_FILE:-} ]] || fail 'to sign, RUNNER_BOOTSTRAP_SIGN_PASSWORD_FILE must name a file with the password'
	[[ -n ${RUNNER_BOOTSTRAP_SIGN_TIMESTAMP_URL:-} ]] || fail 'to sign, RUNNER_BOOTSTRAP_SIGN_TIMESTAMP_URL must be the address of a time stamp server, or the word none'
}

# archive NAME PROGRAM: makes NAME.tar.gz, or NAME.zip for Windows, whose users
# have nothing else. Everything lies at its top.
archive() {
	local files=(LICENSE NOTICES README.md "${2##*/}") folder=$work/archive
	rm -rf "$folder" && mkdir "$folder"
	cp LICENSE README.md "$stage/NOTICES" "$folder"
	cp "$2" "$folder"
	chmod 644 "$folder"/* && chmod 755 "$folder/${2##*/}"
	touch -d "@$SOURCE_DATE_EPOCH" "$folder"/*
	case $2 in
	*.exe) (cd "$folder" && zip -qX9 - "${files[@]}") >"$1.zip" ;;
	*) tar -C "$folder" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner \
		--mtime="@$SOURCE_DATE_EPOCH" -c "${files[@]}" | gzip -9n >"$1.tar.gz" ;;
	esac
}

# nfpm_path prints where the right nfpm is, and installs it if it is nowhere.
nfpm_path() {
	local candidate said is="(nfpm/v2[[:space:]]+v|GitVersion:[[:space:]]+v?)${nfpm_version//./[.]}[[:space:]]"
	for candidate in "$cache/bin/nfpm" "$(type -P nfpm || true)"; do
		[[ -x $candidate ]] || continue
		# One that go install made knows its version only as a module.
		said=$({ go version -m "$candidate" && "$candidate" --version; } 2>/dev/null) || true
		if [[ $said =~ $is ]]; then
			echo "$candidate"
			return
		fi
	done
	# On stderr, for stdout carries the path.
	printf 'installing nfpm %s into %s (takes a minute, once)\n' "$nfpm_version" "$cache/bin" >&2
	GOBIN=$cache/bin go install "github.com/goreleaser/nfpm/v2/cmd/nfpm@v$nfpm_version" >&2 || return
	echo "$cache/bin/nfpm"
}

# packages NAME ARCH FOLDER: deb, rpm and apk of the program in FOLDER. apk keeps the
# times of scripts, which a checkout sets, so they are made from a copy.
packages() {
	local format arch=$2 tree=$work/tree
	[[ $arch != arm ]] || arch=arm7
	rm -rf "$tree" && mkdir "$tree"
	cp -R LICENSE packaging "$tree"
	find "$tree" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
	for format in deb rpm apk; do
		(cd "$tree" && ARCH=$arch VERSION=$version STAGE=$stage BIN=$3 \
			"$nfpm" package --config packaging/nfpm.yaml --packager "$format" --target "$1.$format" >/dev/null)
	done
}

# bill PROGRAM...: what is linked into them, as CycloneDX. Not every platform has
# every module.
bill() {
	local program
	for program in "$@"; do go version -m "$program"; done | jq -Rn --arg version "$version" --arg time "$(date -ud "@$SOURCE_DATE_EPOCH" +%FT%TZ)" '
		def component($name; $version):
			{type: "library", "bom-ref": "pkg:golang/\($name)@\($version)", name: $name, version: $version, purl: "pkg:golang/\($name)@\($version)"};
		[inputs | split("\t")] as $lines
		| [$lines[] | select(.[1] == "dep") | component(.[2]; .[3])] as $modules
		| [$lines[] | select(length == 1)[0] | capture(": go(?<version>\\S+)") | component("stdlib"; .version)] as $library
		| "pkg:golang/github.com/runner-bootstrap/runner-bootstrap@v\($version)" as $us
		| ($modules + $library | unique) as $all
		| {
			"$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
			metadata: {timestamp: $time, component: {
				type: "application", "bom-ref": $us, name: "runner-bootstrap", version: $version, purl: $us, licenses: [{license: {id: "Apache-2.0"}}]
			}},
			components: $all,
			dependencies: [{ref: $us, dependsOn: [$all[].purl]}]
		}'
}

# chocolatey_version: its versions have no dots behind the dash.
chocolatey_version() {
	local early=${version#"${version%%-*}"}
	echo "${version%%-*}${early//./}"
}

# fill TEMPLATE: writes the version and the digests of the archives into it. An archive
# that was not made is a mistake in the template, unless only some platforms were asked for.
fill() {
	local text name
	text=$(<"$1")
	text=${text//@VERSION@/$version}
	text=${text//@CHOCOLATEY@/$(chocolatey_version)}
	text=${text//@DATE@/$(date -ud "@$SOURCE_DATE_EPOCH" +%F)}
	for name in "${!products[@]}"; do text=${text//"@PRODUCT:$name@"/${products[$name]}}; done
	while [[ $text =~ @SHA256:([A-Za-z0-9._-]+)@ ]]; do
		name=${BASH_REMATCH[1]}
		[[ -f $work/out/$name ]] || fail "$1 names $name, which is no archive of ours"
		text=${text//"@SHA256:$name@"/$(sha256sum <"$work/out/$name" | cut -d' ' -f1)}
	done
	printf '%s\n' "$text"
}

# nupkg FILE: the package for Chocolatey, which is a zip with a description of itself.
nupkg() {
	local file tree=$work/nupkg
	cp -R packaging/chocolatey "$tree"
	while IFS= read -r file; do
		fill "packaging/chocolatey/$file" >"$tree/$file"
		[[ $file != *.ps1 ]] || sign_script "$tree/$file"
	done < <(cd "$tree" && find . -type f -printf '%P\n' | sort)
	find "$tree" -exec chmod u=rwX,go=rX {} + -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
	(cd "$tree" && find . -type f -printf '%P\n' | sort | zip -qX9 - -@) >"$1"
}

# manifests: what package managers know a whole release by.
manifests() {
	local file
	fill packaging/homebrew/runner-bootstrap.rb >"$work/out/runner-bootstrap.rb"
	fill packaging/scoop/runner-bootstrap.json >"$work/out/runner-bootstrap.json"
	for file in packaging/winget/*.yaml; do fill "$file" >"$work/out/${file##*/}"; done
	nupkg "$work/out/runner-bootstrap.$(chocolatey_version).nupkg"
	prove amd64
	prove arm64
}

# release PLATFORM...: fills $work/out.
release() {
	local platform os arch name program programs=()
	local -A products=()
	for platform in "$@"; do
		os=${platform%/*} arch=${platform#*/}
		name=runner-bootstrap_${os}_$(architecture "$arch")
		program=$work/$os-$arch/runner-bootstrap
		[[ $os != windows ]] || program+=.exe
		compile "$os" "$arch" "$program"
		programs+=("$program")
		[[ $os != windows ]] || sign "$program"
		archive "$work/out/$name" "$program"
		case $os in
		linux) packages "$work/out/$name" "$arch" "${program%/*}" ;;
		windows)
			# The folder still holds what went into the zip.
			products[$arch]=$(scripts/msi.sh --product "$version" "$arch" "$work/archive")
			scripts/msi.sh "$version" "$arch" "$work/archive" "$work/out/$name.msi"
			sign "$work/out/$name.msi"
			;;
		esac
	done
	bill "${programs[@]}" >"$work/out/runner-bootstrap.cdx.json"
	[[ $* != "$platforms" ]] || manifests
	cp packaging/container/Containerfile scripts/install.sh scripts/install.ps1 "$work/out/"
	sign_script "$work/out/install.ps1"
	(cd "$work/out" && sha256sum -- *) >"$work/checksums.txt"
	mv "$work/checksums.txt" "$work/out/"
}

only_texts=''
[[ ${1:-} != --texts ]] || { only_texts=yes && shift; }
version=${1:-}
version=${version#v}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || usage
if [[ -z ${SOURCE_DATE_EPOCH:-} ]]; then
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) || fail 'no commit to take the time from: set SOURCE_DATE_EPOCH'
fi
[[ $SOURCE_DATE_EPOCH =~ ^[0-9]+$ ]] || fail "SOURCE_DATE_EPOCH is not a number of seconds: $SOURCE_DATE_EPOCH"
export SOURCE_DATE_EPOCH

if [[ -n $only_texts ]]; then
	(($# == 2)) || usage
	texts "$2"
	exit
fi

out=${2:-dist}
shift $(($# < 2 ? $# : 2))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/texts
mkdir "$work/out"
signable
nfpm=$(nfpm_path)
texts "$stage"
# shellcheck disable=SC2086 # a list of words
if (($# > 0)); then release "$@"; else release $platforms; fi
# Only a whole release takes the place of what was there.
rm -rf "$out"
mkdir -p "$(dirname "$out")"
mv "$work/out" "$out"
