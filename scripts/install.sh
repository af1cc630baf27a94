#!/bin/sh
# Puts one verified binary, runner-bootstrap, into a folder of the path, and does nothing else:
#
#   sh install.sh --version 1.2.3 --checksums-sha256 HEX
#
# README.md shows how it is fetched and checked before it is run.
#
# The options are told by --help, and below. What a release holds: checksums.txt, as sha256sum writes it, and
# runner-bootstrap_OS_ARCH.tar.gz with runner-bootstrap at its top.
#
# It is written for every POSIX shell. All of it is functions, and the call is a group on the last line, which a shell
# runs only when it has read the closing brace: a script that arrives truncated does nothing.

usage() {
	cat <<-'END'
		install.sh puts the program runner-bootstrap, verified by its SHA-256, into a folder of the path.

		  --version V     that release instead of the latest one             RUNNER_BOOTSTRAP_INSTALL_VERSION
		  --bin-dir DIR   where it goes, /usr/local/bin if not given         RUNNER_BOOTSTRAP_INSTALL_BIN_DIR
		  --mirror URL    directory with the files of one release: https:,   RUNNER_BOOTSTRAP_INSTALL_MIRROR
		                  file:/DIR (taken as it is), or http: on loopback
		  --sha256 HEX    what the archive must have; checksums.txt is not   RUNNER_BOOTSTRAP_INSTALL_SHA256
		                  asked then
		  --checksums-sha256 HEX                                             RUNNER_BOOTSTRAP_INSTALL_CHECKSUMS_SHA256
		                  what checksums.txt must have: it pins all files
		                  of a release

		Each option is also a variable, an option beats it. Proxies are those of curl and wget (https_proxy).
		Exit codes: 0 done, or already so; 2 usage; 3 this host; 5 network; 6 not what was promised; 130 interrupted.
	END
}

# fail CODE TEXT [HINT] ends the script. The codes are those of the program.
fail() {
	printf 'install.sh: %s\n' "$2" >&2
	[ -z "${3-}" ] || printf 'hint: %s\n' "$3" >&2
	exit "$1"
}

# read_arguments sets what the caller chooses: version, bin_dir, mirror, sha256, checksums_sha256.
read_arguments() {
	version=${RUNNER_BOOTSTRAP_INSTALL_VERSION:-}
	bin_dir=${RUNNER_BOOTSTRAP_INSTALL_BIN_DIR:-/usr/local/bin}
	mirror=${RUNNER_BOOTSTRAP_INSTALL_MIRROR:-}
	sha256=${RUNNER_BOOTSTRAP_INSTALL_SHA256:-}
	checksums_sha256=${RUNNER_BOOTSTRAP_INSTALL_CHECKSUMS_SHA256:-}
	while [ $# -gt 0 ]; do
		case $1 in
		--help | -h)
			usage
			exit 0
			;;
		--version=* | --bin-dir=* | --mirror=* | --sha256=* | --checksums-sha256=*)
			option=${1%%=*} value=${1#*=}
			shift
			;;
		--version | --bin-dir | --mirror | --sha256 | --checksums-sha256)
			[ $# -gt 1 ] || fail 2 "$1 needs a value" 'sh install.sh --help'
			option=$1 value=$2
			shift 2
			;;
		*) fail 2 "unknown argument \"$1\"" 'sh install.sh --help' ;;
		esac
		[ -n "$value" ] || fail 2 "$option needs a value" 'sh install.sh --help'
		case $option in
		--version) version=$value ;;
		--bin-dir) bin_dir=$value ;;
		--mirror) mirror=$value ;;
		--sha256) sha256=$value ;;
		--checksums-sha256) checksums_sha256=$value ;;
		esac
	done
}

# check_arguments refuses what cannot be meant, before anything is asked or written.
check_arguments() {
	version=${version#v}
	case $version in
	'') ;;
	[!0-9]* | *[!0-9A-Za-z.+-]*) fail 2 "\"$version\" is no version" '--version 1.2.3' ;;
	esac

	sha256=$(printf '%s' "$sha256" | tr 'A-F' 'a-f')
	checksums_sha256=$(printf '%s' "$checksums_sha256" | tr 'A-F' 'a-f')
	for given in "$sha256" "$checksums_sha256"; do
		[ -z "$given" ] || is_digest "$given" || fail 2 "\"$given\" is no SHA-256: it has 64 hexadecimal digits"
	done

	case $bin_dir in
	/*) ;;
	*) bin_dir=$PWD/$bin_dir ;;
	esac
	while [ "$bin_dir" != "${bin_dir%/}" ]; do
		bin_dir=${bin_dir%/}
	done
	target=$bin_dir/runner-bootstrap

	choose_base
}

is_digest() {
	case $1 in
	*[!0-9a-f]*) return 1 ;;
	esac
	[ ${#1} -eq 64 ]
}

# choose_base sets base, the directory of the release, and shown, the same without a password.
choose_base() {
	releases=https://github.com/runner-bootstrap/runner-bootstrap/releases
	base=${mirror%/}
	case $base in
	'')
		base=$releases/latest/download
		[ -z "$version" ] || base=$releases/download/v$version
		;;
	file:///* | file:/[!/]*) ;;
	*[[:cntrl:]\ ?#]*) fail 2 "\"$mirror\" is no directory: it holds a blank, a question mark or a number sign" ;;
	https://[!/]*) ;;
	http://*) is_loopback "$base" || fail 2 "\"$mirror\" is refused: http is for loopback only" '--mirror https://HOST/DIRECTORY' ;;
	*) fail 2 "\"$mirror\" is no mirror" '--mirror https://HOST/DIRECTORY, or file:/DIRECTORY' ;;
	esac
	shown=$(printf '%s' "$base" | sed 's,//[^/]*@,//,')
}

# is_loopback URL: nothing but a name or an address of this host, and a port. An "@" or a longer name is neither.
is_loopback() {
	host=${1#http://}
	host=${host%%/*}
	case $host in
	*:*[!0-9]) ;; # the end of [::1]
	*:*)
		case ${host##*:} in
		*[!0-9]*) return 1 ;;
		esac
		host=${host%:*}
		;;
	esac
	case $host in
	localhost | '[::1]') return 0 ;;
	*[!0-9.]*) return 1 ;;
	127.*.*.*) return 0 ;;
	esac
	return 1
}

# choose_archive sets archive, the file of this host.
choose_archive() {
	there='archives are there for Linux (amd64, arm64, armv7) and macOS (amd64, arm64); install.ps1 is for Windows'
	system=$(uname -s) machine=$(uname -m)
	case $system in
	Linux) os=linux ;;
	Darwin) os=darwin ;;
	*) fail 3 "there is no archive for $system: $there" ;;
	esac
	case $os-$machine in
	*-x86_64 | *-amd64) arch=amd64 ;;
	*-aarch64 | *-arm64) arch=arm64 ;;
	linux-armv7* | linux-armv8*) arch=armv7 ;; # armv8l is a 64-bit kernel that shows itself to 32-bit programs
	*) fail 3 "there is no archive for $system on $machine: $there" ;;
	esac
	archive=runner-bootstrap_${os}_$arch.tar.gz
}

# has COMMAND...: all of them are there.
has() {
	for command in "$@"; do
		command -v "$command" >/dev/null 2>&1 || return 1
	done
}

# choose_tools sets loader and digester. Nothing is taken that could not be verified, so the latter is no option.
choose_tools() {
	has tar gzip || fail 3 'tar and gzip are needed'
	if has sha256sum; then
		digester=sha256sum
	elif has shasum; then
		digester=shasum
	elif has openssl; then
		digester=openssl
	else
		fail 3 'nothing here computes a SHA-256: sha256sum, shasum or openssl is needed'
	fi
	# curl first, as it refuses a redirect to plain http before it follows it.
	case $base in
	file:*) loader='cp' ;;
	*)
		if has curl; then
			loader=curl
		elif has wget; then
			case $(wget --version 2>/dev/null) in
			*GNU*) loader=gnu-wget ;;
			*) loader=wget ;;
			esac
		else
			fail 3 'nothing here downloads: curl or wget is needed'
		fi
		;;
	esac
}

# check_place refuses a folder that cannot take the program. It sets stands, the part of the path that is there: what
# is made below it goes again if the program does not get there.
check_place() {
	[ ! -d "$target" ] || fail 3 "$target is a folder"
	stands=${bin_dir:-/}
	while [ ! -e "$stands" ]; do
		stands=$(dirname "$stands")
	done
	[ -d "$stands" ] || fail 3 "$bin_dir cannot be a folder: $stands is a file"
	[ -w "$stands" ] || no_permission
}

no_permission() {
	# shellcheck disable=SC2016 # it is for the caller's shell
	fail 3 "$bin_dir cannot be written${1:+: $1}" \
		'let sudo start the shell (... | sudo sh), or take a folder of yours: --bin-dir "$HOME/.local/bin"'
}

# clean_up removes everything but the program in its place. It runs on every way out, signals included.
# shellcheck disable=SC2317 # it is reached by the trap
clean_up() {
	# The signal may have come before the shell knew the number.
	[ "$child" != starting ] || child=${!:-}
	if [ -n "$child" ]; then
		kill "$child" 2>/dev/null || :
		wait "$child" 2>/dev/null || :
	fi
	[ -z "$temporary" ] || rm -rf "$temporary"
	[ -z "$new" ] || rm -f "$new"
	while [ -n "$made" ] && [ "$made" != "$stands" ]; do
		rmdir "$made" 2>/dev/null || break # others use it by now
		made=$(dirname "$made")
	done
}

# apart COMMAND...: a shell hears of a signal only when the command has ended that it runs, but at once while it waits.
apart() {
	child=starting
	"$@" &
	child=$!
	# A signal ends the wait: with the command still there, it is not over.
	while
		code=0
		wait "$child" || code=$?
		[ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null
	do :; done
	child=
	return "$code"
}

# load URL FILE makes one attempt. What the tool says goes into the file said.
load() {
	case $loader in
	curl)
		apart curl -fsSLg --proto "=${base%%:*}" --proto-redir '=https' \
			--connect-timeout 30 --speed-limit 1000 --speed-time 30 -o "$2" "$1"
		;;
	gnu-wget) apart wget -nv -S --tries=1 --timeout=30 -O "$2" "$1" ;;
	wget) apart wget -q -S -O "$2" "$1" ;;
	cp) cp "${1#file:}" "$2" ;;
	esac 2>"$said"
}

# why [ELSE] prints the last thing that a tool said, without what could steer a terminal: a server has a say in it.
# Headers of answers are indented and tell nothing, and curl may follow its reason by a paragraph of advice.
why() {
	last=$(sed -n '/^curl: (/ { p; q; }; /^[^ ]/h; $ { g; p; }' "$said" | tr -d '\000-\037\177')
	printf '%s' "${last:-${1:-no reason was given}}"
}

# hopeless: another attempt would get the same answer.
hopeless() {
	case $(cat "$said") in
	*'error: 408'* | *'error: 429'* | *'HTTP/1.'?' 408'* | *'HTTP/1.'?' 429'*) return 1 ;;
	*'error: 4'[0-9][0-9]* | *'HTTP/1.'?' 4'[0-9][0-9]* | *'(1) Protocol'*) return 0 ;;
	esac
	return 1
}

# fetch NAME brings a file of the release into the temporary folder.
fetch() {
	pause=1
	until load "$base/$1" "$temporary/$1"; do
		case $loader-$(cat "$said") in
		cp-*) fail 3 "copying $shown/$1: $(why)" ;;
		*'No space left'* | *'curl: (23)'*) fail 3 "writing $1 to $temporary: $(why)" 'df -h' ;;
		esac
		if hopeless || [ "$pause" -gt 4 ]; then
			fail 5 "fetching $shown/$1: $(why 'the transfer broke off')"
		fi
		apart sleep "$pause"
		pause=$((pause * 2))
	done
	# wget follows a redirect to plain http, and some of busybox check no certificate: both say so.
	if [ "$loader" != curl ] && grep -qi '^ *location: *http:' "$said"; then
		fail 5 "fetching $shown/$1: refused, as it was redirected to plain http"
	fi
	if [ -z "$sha256$checksums_sha256" ] && grep -q 'certificate validation not implemented' "$said"; then
		fail 3 "fetching $shown/$1: refused, as this wget does not check who answers" \
			'install curl, or tell what the archive has: --sha256 HEX'
	fi
}

# digest FILE sets actual.
digest() {
	case $digester in
	sha256sum) actual=$(sha256sum <"$1") ;;
	shasum) actual=$(shasum -a 256 <"$1") ;;
	openssl) actual=$(openssl dgst -sha256 -r <"$1") ;;
	esac || fail 3 "computing the SHA-256 of $1 by $digester"
	actual=${actual%% *}
	is_digest "$actual" || fail 3 "computing the SHA-256 of $1: $digester says \"$actual\""
}

# promised sets expected: what the caller, or else the release, says that the archive has.
promised() {
	expected=$sha256
	[ -z "$expected" ] || return 0
	fetch checksums.txt
	if [ -n "$checksums_sha256" ]; then
		digest "$temporary/checksums.txt"
		[ "$actual" = "$checksums_sha256" ] ||
			fail 6 "$shown/checksums.txt has SHA-256 $actual, not $checksums_sha256: it is not what was promised"
	fi
	while IFS= read -r line; do
		if [ "${line#*  }" = "$archive" ]; then
			expected=${line%%  *}
			break
		fi
	done <"$temporary/checksums.txt"
	is_digest "$expected" || fail 6 "$shown/checksums.txt promises nothing about $archive"
}

# unpack takes the program out of the archive, by standard output: what else an archive may hold, and what it says of
# owners, modes and links, has no way to the disk.
unpack() {
	names=$(tar -tzf "$temporary/$archive" 2>"$said") || fail 6 "$shown/$archive is no archive: $(why)"
	printf '%s\n' "$names" | grep -qx runner-bootstrap || fail 6 "$shown/$archive does not hold runner-bootstrap"
	tar -xzOf "$temporary/$archive" runner-bootstrap >"$temporary/program" 2>"$said" || fail 3 "unpacking $archive: $(why)"
	[ -s "$temporary/program" ] || fail 6 "$shown/$archive does not hold runner-bootstrap as a file"
}

# already: the program stands there, byte for byte.
already() {
	[ -f "$target" ] && [ -x "$target" ] || return 1
	digest "$target"
	installed=$actual
	digest "$temporary/program"
	[ "$installed" = "$actual" ]
}

# place puts the program beside its place, lets it tell its version there, and renames it. Whether it runs on this host
# is seen before it replaces one that does.
place() {
	check_place
	made=$bin_dir
	mkdir -p "$bin_dir" 2>"$said" || no_permission "$(why)"
	new=$(mktemp "$bin_dir/.runner-bootstrap.XXXXXX" 2>"$said") || no_permission "$(why)"
	{ cp "$temporary/program" "$new" && chmod 0755 "$new"; } 2>"$said" || fail 3 "writing $new: $(why)" 'df -h'
	words=$("$new" version </dev/null 2>"$said") || fail 3 "the program does not run on this host: $(why)"
	if [ -n "$version" ]; then
		got=${words#runner-bootstrap }
		got=${got%% *}
		[ "${got#v}" = "$version" ] || fail 6 "$shown/$archive holds version $got, not $version"
	fi
	mv -f "$new" "$target" 2>"$said" || no_permission "$(why)"
	new='' made=''
}

# hidden_from_sudo tells whether sudo looks for programs in directories of its own, and bin_dir is not among them. Who may
# not read that knows what the distributions of Red Hat's kind do.
hidden_from_sudo() {
	secure=$(sed -n 's/^[[:blank:]]*Defaults[[:blank:]].*secure_path[[:blank:]]*=[[:blank:]]*"\{0,1\}\([^"]*\).*/\1/p' /etc/sudoers 2>/dev/null) || secure=''
	if [ -z "$secure" ] && [ ! -r /etc/sudoers ] && [ -e /etc/redhat-release ]; then
		secure=/sbin:/bin:/usr/sbin:/usr/bin
	fi
	case :$secure: in
	::) return 1 ;;
	*":$bin_dir:"*) return 1 ;;
	esac
}

main() {
	set -eu
	LC_ALL=C # what the tools say is read
	export LC_ALL
	temporary='' new='' made='' child=''

	read_arguments "$@"
	check_arguments
	choose_archive
	choose_tools
	# If there is one already, perhaps nothing is to be written.
	[ -f "$target" ] || check_place

	trap 'clean_up' EXIT
	trap 'exit 130' HUP INT PIPE TERM
	temporary=$(mktemp -d "${TMPDIR:-/tmp}/runner-bootstrap.XXXXXX") || fail 3 'no temporary folder can be made' 'df -h'
	said=$temporary/said

	promised
	fetch "$archive"
	digest "$temporary/$archive"
	[ "$actual" = "$expected" ] || fail 6 "$shown/$archive has SHA-256 $actual, not $expected: it is not what was promised"
	unpack

	if already; then
		printf '%s is already there: %s\n' "$target" "$("$target" version </dev/null)"
	else
		place
		printf '%s: %s\n' "$target" "$words"
		if hidden_from_sudo; then
			printf 'sudo does not look in %s: type sudo %s\n' "$bin_dir" "$target"
		fi
	fi
	case :$PATH: in
	*":$bin_dir:"*) ;;
	*) printf '%s is not in PATH: type %s\n' "$bin_dir" "$target" ;;
	esac
}

{ main "$@"; exit; }
