package download

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrPlatform is matched when GitHub has no runner for an operating system or
// architecture.
var ErrPlatform = errors.New("GitHub has no runner for this platform")

// Platform is an operating system and architecture in the words of GitHub's
// downloads endpoint: "linux", "osx" or "win"; "x64", "arm64" or "arm".
type Platform struct {
	OS   string
	Arch string
}

// Host is the platform that this program was built for.
func Host() (Platform, error) { return platformOf(runtime.GOOS, runtime.GOARCH) }

func platformOf(goos, goarch string) (Platform, error) {
	systems := map[string]string{"linux": "linux", "darwin": "osx", "windows": "win"}
	architectures := map[string]string{"amd64": "x64", "arm64": "arm64", "arm": "arm"}
	p := Platform{OS: systems[goos], Arch: architectures[goarch]}
	if p.OS == "" || p.Arch == "" || p.Arch == "arm" && p.OS != "linux" {
		return Platform{}, fmt.Errorf("%w: %s/%s", ErrPlatform, goos, goarch)
	}
	return p, nil
}

// String is the platform as runner archives are named: "linux-x64".
func (p Platform) String() string { return p.OS + "-" + p.Arch }

// MarshalText writes the platform as a plan shows it.
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
