// Package nt knows what a host with Windows has, and lacks, for GitHub's runner.
package nt

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// State is how a fact is to be taken.
type State int

// The states.
const (
	OK State = iota
	Warning
	Failed
)

// Fact is one thing about a host.
type Fact struct {
	State              State
	Object, Found, Fix string
}

const (
	// buildNeeded is Windows 10 1607 and Windows Server 2016, the oldest that .NET 8 is made for; buildNeededARM is Windows 11, which
	// runs programs for x64 on ARM.
	buildNeeded    = 14393
	buildNeededARM = 22000
)

func judge(major, build int, goarch string) Fact {
	const fix = "systeminfo"
	object := fmt.Sprintf("Windows %d, build %d", major, build)
	switch {
	case major < 10 || build < buildNeeded:
		return Fact{Failed, object, fmt.Sprintf("GitHub's runner needs Windows Server 2016 or Windows 10 1607, build %d", buildNeeded), fix}
	case goarch == "arm64" && build < buildNeededARM:
		return Fact{Failed, object, fmt.Sprintf("GitHub's runner for ARM needs Windows 11, build %d", buildNeededARM), fix}
	}
	return Fact{OK, object, "GitHub's runner brings all libraries that it needs", ""}
}

// ProxyURL is the URL of a proxy as Windows writes them, "HOST:PORT" or "http=HOST:PORT;https=HOST:PORT"; empty where it is none.
func ProxyURL(text string) string {
	for one := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == ' ' }) {
		scheme, host, found := strings.Cut(one, "=")
		switch {
		case !found:
			host = one
		case scheme != "https" && scheme != "http":
			continue
		}
		if host = strings.TrimPrefix(host, "http://"); host != "" && !strings.Contains(host, "/") {
			return "http://" + host
		}
	}
	return ""
}

// withoutCredentials is the text of a proxy as people may see it: what follows the last user and password in it.
func withoutCredentials(text string) string { return text[strings.LastIndex(text, "@")+1:] }

// winHTTPProxy reads what netsh has written: four numbers, the third of which has 2 where there is a proxy, and the fourth its length.
func winHTTPProxy(value []byte) string {
	const head = 16
	if len(value) < head || binary.LittleEndian.Uint32(value[8:])&2 == 0 {
		return ""
	}
	text := value[head:]
	return string(text[:min(len(text), int(binary.LittleEndian.Uint32(value[12:])))])
}
