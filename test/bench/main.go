// Command bench times how a host gets a runner: the shell pipelines of today
// beside runner-bootstrap, on links of several speeds, interleaved in one run, up to a
// runner that listens; how soon an ephemeral runner comes back after a job;
// and what keeps the runner's listener running beside what GitHub's own service does.
// It prints Markdown tables and says which of its goals were reached.
//
//	go run ./test/bench
//
// It wants Linux, root for a fresh file system in each run (without root it
// deletes its folder and makes it again, and says so), 16 GB of disk, and for its first run npm,
// apt-get and dpkg-deb, from which it makes an archive like GitHub's. Without
// xfsprogs it has no table of file systems whose copies share blocks. What else it
// needs it says itself. A full run takes about half an hour; -links loopback
// -rounds 1 takes two minutes, -only supervisor less than one. Nothing else should run on the host meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program. The parts that must be processes of their own, so that
// they can be measured or are not measured with the others, are its subcommands.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "serve":
			return serveCommand(args[1:])
		case "measure":
			return measureCommand(ctx, args[1:])
		case "clone":
			return cloneCommand(ctx, args[1:])
		case "unzip":
			return unzipCommand(ctx, args[1:])
		case booted:
			if err := shareMounts(); err != nil {
				return err
			}
			o, err := parse(args[1:])
			if err != nil {
				return err
			}
			return o.bench(ctx)
		}
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return errors.New("this benchmark mounts file systems and reads process times as Linux gives them")
	}
	if os.Geteuid() == 0 {
		return asBooted(ctx, args)
	}
	return o.bench(ctx)
}

// booted is the subcommand that measures among mounts of its own, which all see that are made there, as on a host that systemd has
// booted: the program prepares more where that is so.
const booted = "booted"

// options are what the command line says.
type options struct {
	rounds  int
	links   []link
	only    *regexp.Regexp
	fixture string
	binary  string
	json    string
	tmpfs   bool
	keep    bool
}

func parse(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each case runs; medians want at least 5")
	names := flags.String("links", strings.Join(linkNames(), ","), "links to measure; none leaves the other tables")
	only := flags.String("only", "", "run the cases alone whose TABLE/CASE this regular expression matches, such as loopback/ours")
	flags.StringVar(&o.fixture, "fixture", "", "directory of the archives, made if absent (default in the user's cache directory)")
	flags.StringVar(&o.binary, "binary", "", "runner-bootstrap to measure (default: built from this module)")
	flags.StringVar(&o.json, "json", "", "file for the raw numbers")
	flags.BoolVar(&o.tmpfs, "tmpfs", false, "unpack into memory instead of the disk")
	flags.BoolVar(&o.keep, "keep", false, "keep the working directory: the program and the last run's file system, unmounted")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.rounds < 1 {
		return o, errors.New("-rounds is at least 1")
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("reading -only: %w", err)
	}
	if o.links, err = linksOf(*names); err != nil {
		return o, err
	}
	if o.fixture == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("finding a place for the archives: %w", err)
		}
		o.fixture = filepath.Join(cache, "runner-bootstrap-bench")
	}
	o.fixture, err = filepath.Abs(o.fixture)
	return o, err
}

func (o options) bench(ctx context.Context) (err error) {
	if err := os.MkdirAll(o.fixture, 0o755); err != nil {
		return fmt.Errorf("making the fixture's directory: %w", err)
	}
	f, err := openFixture(ctx, o.fixture)
	if err != nil {
		return err
	}
	w, err := openWork(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	product, err := findProduct(ctx, o.binary, w.dir)
	if err != nil {
		return err
	}
	b := &bench{options: o, work: w, fixture: f, product: product}
	r, err := b.all(ctx)
	if err != nil {
		return err // half a table invites to be quoted
	}
	r.print(os.Stdout)
	if o.json != "" {
		return r.save(o.json)
	}
	return nil
}

// say tells how far the benchmark is, beside the tables on standard output.
func say(format string, values ...any) { fmt.Fprintf(os.Stderr, "# "+format+"\n", values...) }
