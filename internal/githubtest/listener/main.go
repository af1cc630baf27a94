// Command listener is the simulated bin/Runner.Listener, and under that name bin/Runner.Worker: it behaves at its
// boundary like the runner of actions/runner, and talks to the simulated GitHub of package githubtest.
package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Exit codes of the listener, as in actions/runner source, Constants.cs.
const (
	exitSuccess          = 0
	exitTerminated       = 1
	exitRetryable        = 2
	exitUpdating         = 3
	exitUpdatingOnce     = 4
	exitSessionConflict  = 5
	exitDeprecated       = 7
	exitNoRuntime        = 137 // of .NET's own host, before the runner's first line
	exitTerminatedSignal = 143
)

// program is one start of the listener.
type program struct {
	folder
	bin     string // where this program lies: bin itself, or what bin links to
	version string
	opts    options
	in      io.Reader
	out     io.Writer
	err     io.Writer
	report  witness
}

// folder is where a runner lives, and what it keeps there.
type folder struct{ root string } // the folder that holds bin

func main() {
	// .NET does: a listener whose supervisor was killed has nobody to print to, and
	// still closes its session.
	ignoreBrokenPipes()
	os.Exit(start())
}

func start() int {
	if !startRuntime() {
		fmt.Fprintln(os.Stderr, "Failed to create CoreCLR, HRESULT: 0x8007054F")
		return exitNoRuntime
	}
	report := newWitness()
	exe, err := os.Executable()
	if err == nil {
		// On systems without /proc the name may still be a link.
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitTerminated
	}
	bin := filepath.Dir(exe)
	p := &program{
		folder: folder{root: filepath.Dir(bin)}, bin: bin, version: readVersion(bin), in: os.Stdin, out: os.Stdout, err: os.Stderr,
		report: report,
	}
	p.report.Version = p.version
	if name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"); name == "Runner.Worker" {
		return p.work()
	}
	// .NET takes SSL_CERT_FILE and SSL_CERT_DIR from the environment that the process starts with. What .env says of
	// them comes too late, and reaches the jobs alone. Go's certificates are loaded once as well.
	if _, err := x509.SystemCertPool(); err != nil {
		return p.fail(err)
	}
	if err := p.loadEnv(); err != nil {
		return p.fail(err)
	}
	command, args := "", os.Args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = strings.ToLower(args[0]), args[1:]
	}
	p.opts = parseOptions(command, args)
	return p.dispatch(command)
}

func (p *program) dispatch(command string) int {
	switch {
	case p.opts.flag("version"):
		p.say("%s", p.version)
		return exitSuccess
	case p.opts.flag("commit"):
		p.say("simulated")
		return exitSuccess
	case p.opts.flag("help"):
		p.say("Commands: ./config.sh, ./config.sh remove, ./run.sh")
		return exitSuccess
	}
	if len(p.opts.unknown) > 0 {
		p.complain("Unrecognized command-line input arguments: '%s'. For usage refer to: .\\config.cmd --help or "+
			"./config.sh --help", strings.Join(p.opts.unknown, ", "))
	}
	if err := os.MkdirAll(filepath.Join(p.root, "_diag"), 0o755); err != nil {
		return p.fail(err)
	}
	switch command {
	case "configure":
		return p.configure()
	case "remove":
		return p.remove()
	case "run", "":
		return p.run()
	case "warmup":
		return exitSuccess
	}
	p.complain("Unknown command %q", command)
	return exitTerminated
}

func readVersion(bin string) string {
	raw, err := os.ReadFile(filepath.Join(bin, ".version"))
	if err != nil {
		return "0.0.0"
	}
	return strings.TrimSpace(string(raw))
}

// loadEnv puts the file .env over the environment: KEY=VALUE, without quotes and without expansion.
func (p *program) loadEnv() error {
	raw, err := os.ReadFile(p.path(".env"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the environment file: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		key, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !found || key == "" {
			continue
		}
		if err := os.Setenv(key, value); err != nil {
			return fmt.Errorf("setting %q from the environment file: %w", key, err)
		}
	}
	return nil
}

func (p folder) path(name string) string { return filepath.Join(p.root, name) }

func (p *program) say(format string, args ...any) {
	// Nobody may be listening; that must not stop a runner.
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *program) complain(format string, args ...any) {
	_, _ = fmt.Fprintf(p.err, format+"\n", args...)
}

func (p *program) fail(err error) int {
	p.complain("%s", err)
	return exitTerminated
}
