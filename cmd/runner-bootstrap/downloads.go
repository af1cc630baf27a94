package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

func newDownloads(call *session) *cobra.Command {
	o := &gitHubOptions{}
	return call.command("downloads", "List the runners that GitHub offers", `
Lists the runner archives on offer, one for each platform. The one that this host
would take is marked.`, o.groups(), call.withScope(bind(call, o, listDownloads)))
}

// offered is one archive on offer, as --json shows it.
type offered struct {
	OS       string `json:"os"`
	Arch     string `json:"architecture"`
	Version  string `json:"version"`
	Filename string `json:"filename"`
	URL      string `json:"download_url"`
	SHA256   string `json:"sha256,omitempty"`
	ThisHost bool   `json:"this_host"`
}

func listDownloads(ctx context.Context, call *session, client *github.Client, o *gitHubOptions) error {
	applications, err := client.Applications(ctx)
	if err != nil {
		return err
	}
	host, _ := download.Host() // a host without a runner of its own may look as well
	all := make([]offered, 0, len(applications))
	for _, a := range applications {
		_, version, _ := download.ParseFilename(a.Filename)
		all = append(all, offered{
			OS: a.OS, Arch: a.Architecture, Version: version, Filename: a.Filename, URL: a.DownloadURL, SHA256: a.SHA256,
			ThisHost: host == download.Platform{OS: a.OS, Arch: a.Architecture},
		})
	}
	if o.output.json {
		return printJSON(call.out, all)
	}
	return terminal.Table(call.out, "\tPLATFORM\tVERSION\tSHA-256\tFILE", func(line func(string, ...any)) {
		for _, a := range all {
			mark := ""
			if a.ThisHost {
				mark = "*"
			}
			line("%s\t%s-%s\t%s\t%s\t%s", mark, a.OS, a.Arch, firstOf(a.Version, "-"), firstOf(a.SHA256, "-"), a.Filename)
		}
	})
}

// hintDownloads lists the versions that there are: who has no credential sees the public ones.
func hintDownloads(call *session, _ error) string {
	if call.credential.empty() {
		return on(call).Do(shell.Browse, "https://github.com/actions/runner/releases")
	}
	return call.atScope("downloads")
}
