// Command runner-bootstrap turns a fresh host into a GitHub Actions
// self-hosted runner, keeps it healthy, and removes it without a trace.
package main

import (
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
)

func main() {
	if code, first := jail.First(os.Args); first {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
