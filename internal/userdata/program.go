package userdata

import (
	_ "embed"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// Program says how a machine gets this program. Of the three ways the first that is named counts.
type Program struct {
	// Baked tells that the image has it.
	Baked bool
	// Package is the URL of a deb or rpm, and Digest its SHA-256.
	Package, Digest string
	// Release is where the files of a release are, and Checksums the SHA-256 of its list, which pins all of them.
	Release, Checksums string
	// How the machine reaches the network; empty for as it is there. CAFile is a file on the machine.
	Proxy, NoProxy, CAFile string
}

// bootScript brings the program to the machine, and has the first-boot unit do the rest. It is for every POSIX shell.
func (p Program) bootScript() string {
	lines := []string{
		"#!/bin/sh",
		"# At each boot until there is a runner: brings the program, and leaves the rest to its first-boot unit.",
		"[ -e " + FirstBoot + "/begun ] || exit 0",
	}
	if !p.Baked {
		lines = append(lines, p.network()...)
		lines = append(lines, p.fetch()...)
		lines = append(lines,
			"pause=5",
			"until command -v runner-bootstrap >/dev/null || bring; do",
			`	echo "runner-bootstrap cannot be brought yet; the next attempt is in $pause seconds or somewhat more" >&2`,
			`	sleep $((pause + $(od -An -N1 -tu1 /dev/urandom) * pause / 512))`,
			"	pause=$((pause < 150 ? pause * 2 : 300))",
			"done")
	}
	return strings.Join(lines, "\n") + "\n" + leaveToUnit
}

// leaveToUnit ends the script: without the unit, as in an image that has the program alone, install itself is run.
//
//go:embed firstboot.txt
var leaveToUnit string

// network has what fetches reach the network.
func (p Program) network() []string {
	var lines []string
	if p.Proxy != "" {
		words := []string{"export", "https_proxy=" + p.Proxy, "http_proxy=" + p.Proxy}
		if p.NoProxy != "" {
			words = append(words, "no_proxy="+p.NoProxy)
		}
		lines = append(lines, shell.Unix().Words(words...))
	}
	if p.CAFile != "" {
		const both = "/run/runner-bootstrap-ca.pem"
		lines = append(lines,
			"cat /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem "+
				shell.Unix().Words(p.CAFile)+" >"+both+" 2>/dev/null",
			"export CURL_CA_BUNDLE="+both+" SSL_CERT_FILE="+both)
	}
	return lines
}

// PackageKind is what a URL leads to, ".deb" or ".rpm"; empty for anything else, and for what no machine could fetch. A query, as a
// signed URL has one, says nothing of it.
func PackageKind(packageURL string) string {
	u, err := url.Parse(packageURL)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	if kind := strings.ToLower(path.Ext(u.Path)); kind == ".deb" || kind == ".rpm" {
		return kind
	}
	return ""
}

// fetch is the shell's function bring, and what it needs.
func (p Program) fetch() []string {
	lines := []string{get}
	const rpm = "rpm -U --replacepkgs "
	if p.Package != "" {
		kind, add := PackageKind(p.Package), rpm
		file := "/run/runner-bootstrap" + kind
		if kind == ".deb" {
			lines = append(lines, addDeb()...)
			add = "add "
		}
		sum := strconv.Quote(strings.ToLower(p.Digest) + "  " + file)
		return append(lines,
			"bring() {",
			"	"+shell.Unix().Words("get", p.Package)+" "+file+" &&",
			"		echo "+sum+" | sha256sum -c - &&",
			"		"+add+file,
			"}")
	}
	return append(append(lines, addDeb()...),
		"base="+p.Release,
		"bring() {",
		"	case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=armv7 ;; esac",
		"	kind=rpm",
		"	! command -v dpkg >/dev/null || kind=deb",
		"	file=runner-bootstrap_linux_$arch.$kind",
		"	cd /run && get $base/checksums.txt runner-bootstrap-checksums.txt &&",
		`		echo "`+strings.ToLower(p.Checksums)+`  runner-bootstrap-checksums.txt" | sha256sum -c - &&`,
		`		get $base/$file $file && grep " $file\$" runner-bootstrap-checksums.txt | sha256sum -c - &&`,
		"		if [ $kind = deb ]; then add /run/$file; else "+rpm+"/run/$file; fi",
		"}")
}

// get is the shell's function that fetches a URL into a file: no server that is silent, or that stops in the middle, holds up the
// boot, and a second attempt begins with an empty file.
const get = `get() {
	curl -fsSL --retry 5 --connect-timeout 30 --speed-limit 1000 --speed-time 30 -o "$2" "$1" ||
		wget -q --tries=5 --timeout=30 -O "$2" "$1"
}`

// addDeb is the shell's function that installs a deb, also where the power was cut while packages were installed: apt refuses then
// until dpkg has finished. Configuration files that are there already are those that are wanted.
func addDeb() []string {
	return []string{
		`apt() { DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install "$1"; }`,
		"add() {",
		"	apt $1 2>/run/runner-bootstrap-apt.txt && return",
		"	cat /run/runner-bootstrap-apt.txt >&2",
		"	grep -q 'dpkg --configure -a' /run/runner-bootstrap-apt.txt &&",
		"		DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a && apt $1",
		"}",
	}
}
