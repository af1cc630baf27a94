package account

import (
	"crypto/sha1" //nolint:gosec // Windows names accounts by it
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Kind is what sort of account it is, which decides how a service of Windows is made to run as it.
type Kind string

const (
	// Ordinary is an account that somebody has made. A service that runs as it needs its password on Windows.
	Ordinary Kind = "ordinary"
	// Virtual is a service's own on Windows, "NT SERVICE\NAME": it is there as soon as it is named, for the service of
	// that name, and has no password.
	Virtual Kind = "virtual"
	// BuiltIn is one of the three that each Windows has for services: LocalSystem, LocalService and NetworkService.
	BuiltIn Kind = "built-in"
	// GroupManaged is one of a domain's, "DOMAIN\name$", whose password the domain alone knows.
	GroupManaged Kind = "group-managed"
)

// The accounts for services, by their SIDs: their names differ by the language of the system.
const (
	sidSystem         = "S-1-5-18"
	sidLocalService   = "S-1-5-19"
	sidNetworkService = "S-1-5-20"
	sidOfServices     = "S-1-5-80-" // the beginning of a virtual one's
	sidService        = "S-1-5-6"   // a group that all services are in
	sidAllServices    = AllServices
)

// AllServices is the SID of the group that all virtual accounts are in.
const AllServices = "S-1-5-80-0"

// ofServices is the domain of virtual accounts, in every language.
const ofServices = `NT SERVICE\`

// builtIn is how the service manager calls the accounts for services, by their SIDs.
func builtIn() map[string]string {
	return map[string]string{
		sidSystem: "LocalSystem", sidLocalService: `NT AUTHORITY\LocalService`, sidNetworkService: `NT AUTHORITY\NetworkService`,
	}
}

// Kind tells what sort of account it is.
func (u User) Kind() Kind {
	switch {
	case builtIn()[u.SID] != "":
		return BuiltIn
	case strings.HasPrefix(u.SID, sidOfServices):
		return Virtual
	case u.SID != "" && strings.HasSuffix(u.Name, "$"):
		return GroupManaged
	default:
		return Ordinary
	}
}

// VirtualName is the name of the virtual account of a service of Windows.
func VirtualName(service string) string { return ofServices + service }

// wellKnown gives the SID of an account that needs no looking up: one of those for services by its English name, with or
// without its domain, or a SID, or a virtual one. The name is the one that counts.
func wellKnown(name string) (sid, called string, known bool) {
	word := strings.ToUpper(strings.TrimPrefix(strings.ToUpper(name), `NT AUTHORITY\`))
	switch strings.ReplaceAll(word, " ", "") {
	case "SYSTEM", "LOCALSYSTEM", `.\LOCALSYSTEM`, sidSystem:
		sid = sidSystem
	case "LOCALSERVICE", sidLocalService:
		sid = sidLocalService
	case "NETWORKSERVICE", sidNetworkService:
		sid = sidNetworkService
	}
	if sid != "" {
		return sid, builtIn()[sid], true
	}
	if len(name) > len(ofServices) && strings.EqualFold(name[:len(ofServices)], ofServices) {
		service := name[len(ofServices):]
		if len(service) > longestService || strings.ContainsAny(service, `\/`) {
			return "", "", false
		}
		return ServiceSID(service), ofServices + service, true
	}
	return "", "", false
}

// longestService is how many characters the name of a service has at most.
const longestService = 256

// ServiceSID is the SID of the virtual account of a service of Windows: it follows from the name, whether there is such a
// service or not.
func ServiceSID(service string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(service)) {
		if upper := unicode.ToUpper(rune(unit)); upper <= 0xffff {
			unit = uint16(upper) //nolint:gosec // just compared
		}
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	digest := sha1.Sum(text) //nolint:gosec // see above
	sid := strings.TrimSuffix(sidOfServices, "-")
	for part := 0; part < len(digest); part += 4 {
		sid += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(digest[part:]))
	}
	return sid
}
