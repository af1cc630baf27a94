package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker for a release.
var version string

// versionFacts are what version --json prints.
type versionFacts struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"` // where it was built in a checkout
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(call *session) *cobra.Command {
	// It reads no configuration: that may be what is wrong.
	output := &outputOptions{}
	command := &cobra.Command{
		Use: "version", Short: "Print the version of this program", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if output.json {
				return printJSON(call.out, versionFacts{versionText(), commit(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprint(call.out, versionLine())
			return err
		},
	}
	call.groups[command] = []group{output}
	return command
}

// versionLine is what version and --version print.
func versionLine() string {
	return fmt.Sprintf("runner-bootstrap %s %s %s/%s\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// commit is that of the checkout; empty in a release, which its version names.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}
