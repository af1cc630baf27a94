#!/usr/bin/env bash
# Makes a package for the Windows Installer. The same files and the same time give the same bytes.
#
#   scripts/msi.sh VERSION ARCH DIR FILE
#   scripts/msi.sh --product VERSION ARCH DIR
#
#   VERSION     such as 1.2.3 or 1.2.3-rc.1
#   ARCH        amd64 or arm64
#   DIR         has runner-bootstrap.exe, LICENSE, NOTICES and README.md
#   FILE        is made
#   --product   only says the product code of the package, as winget wants to know it
#
# SOURCE_DATE_EPOCH   the time that everything bears
#
# Needs msibuild, of msitools, and gcab.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# By it the installer knows all our packages, of any version and architecture, as the same product. It never changes.
upgrade='{083FF2CA-8E1D-4A0A-9B33-76409A956A1E}'

fail() {
	printf 'msi.sh: %s\n' "$*" >&2
	exit 1
}

# identifier WORDS: a UUID of version 5, which the same words always give, as the installer writes it.
identifier() {
	local digest
	digest=$(printf '%s' "$upgrade $*" | sha1sum)
	printf '{%s-%s-5%s-%x%s-%s}' "${digest:0:8}" "${digest:8:4}" "${digest:13:3}" $((0x${digest:16:1} & 3 | 8)) "${digest:17:3}" "${digest:20:12}" |
		tr '[:lower:]' '[:upper:]'
}

# digest FILE: its MD5 as the installer has it, which are four numbers with a sign, of bytes in reverse. It tells files apart
# that have no version.
digest() {
	local sum part number numbers=()
	sum=$(md5sum <"$1")
	for part in 0 8 16 24; do
		number=$((0x${sum:part + 6:2}${sum:part + 4:2}${sum:part + 2:2}${sum:part:2}))
		numbers+=($((number < 0x80000000 ? number : number - 0x100000000)))
	done
	(IFS=$'\t' && echo "${numbers[*]}")
}

# fill TABLES FOLDER: writes each table into a file of its own there, as msibuild wants them.
fill() {
	local text name table=''
	text=$(grep -v '^#' "$1")
	for name in "${!values[@]}"; do text=${text//"@$name@"/${values[$name]}}; done
	for name in "${files[@]}"; do
		text=${text//"@SIZE:$name@"/$(stat -c %s "$folder/$name")}
		text=${text//"@HASH:$name@"/$(digest "$folder/$name")}
	done
	! [[ $text =~ @[A-Z]+[:@] ]] || fail "$1 has a word that nothing fills: ${BASH_REMATCH[0]}"
	while IFS= read -r name; do
		case $name in
		'table '*) table=$2/${name#table }.idt ;;
		'') ;;
		*) printf '%s\r\n' "$name" >>"$table" ;;
		esac
	done <<<"$text"
}

only_product='' wanted=4
[[ ${1:-} != --product ]] || { only_product=yes wanted=3 && shift; }
(($# == wanted)) || {
	sed -n '4,5s/^# *//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}
version=$1 folder=$3
case $2 in
amd64) template=x64 ;;
arm64) template=Arm64 ;;
*) fail "no architecture of Windows: $2" ;;
esac
[[ ${SOURCE_DATE_EPOCH:-} =~ ^[0-9]+$ ]] || fail 'SOURCE_DATE_EPOCH is not set'
export TZ=UTC LC_ALL=C
files=(LICENSE NOTICES README.md runner-bootstrap.exe)
content=$(cd "$folder" && sha256sum -- "${files[@]}")
# Two packages with other files are two products, even if their version is the same: the later one replaces the other.
product_code=$(identifier product "$version" "$2" "$content")
if [[ -n $only_product ]]; then
	echo "$product_code"
	exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
declare -A values=(
	[VERSION]=$version [NUMBERS]=${version%%-*} [TEMPLATE]=$template [UPGRADE]=$upgrade [PRODUCT]=$product_code
	[PACKAGE]=$(identifier package "$product_code" "$(sha256sum <packaging/windows/msi.tables)")
	[TIME]=$(date -ud "@$SOURCE_DATE_EPOCH" '+%Y/%m/%d %H:%M:%S')
)
mkdir "$work/tables" "$work/files"
fill packaging/windows/msi.tables "$work/tables"

# In the cabinet a file is called by its key in the table, and stands where its number says.
keys=()
while IFS=$'\t' read -r key _ name _; do
	keys+=("$key")
	cp "$folder/${name##*|}" "$work/files/$key"
done < <(tail -n +4 "$work/tables/File.idt")
((${#keys[@]} == ${#files[@]})) || fail 'the table of files is not that of the folder'
chmod 644 "$work/files"/*
touch -d "@$SOURCE_DATE_EPOCH" "$work/files"/*
(cd "$work/files" && gcab --create --zip --nopath "$work/files.cab" "${keys[@]}")
imports=()
for table in "$work/tables"/*.idt; do imports+=(-i "$table"); done
msibuild "$work/made.msi" "${imports[@]}" -a files.cab "$work/files.cab"
mv "$work/made.msi" "$4"
