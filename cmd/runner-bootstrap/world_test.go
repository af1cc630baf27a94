package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

func buildListener(ctx context.Context, dir string) (string, error) {
	return githubtest.BuildListener(ctx, dir, runtime.GOOS, runtime.GOARCH)
}

type worldKey struct{}

// world is the outside of one script: its GitHub.
type world struct {
	*shared
	name    string
	work    string
	fail    func(string, ...any)
	server  *githubtest.Server
	offered *githubtest.Archive // the first one
	public  *githubtest.Server  // what stands for github.com, beside the server; nil without
	marked  int                 // requests before the mark
	*receiver
}

const simulatedVersion = "2.337.0"

func theWorld(ts *testscript.TestScript) *world {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok {
		ts.Fatalf("no world")
	}
	return w
}

// close ends the simulator and fails the test for everything that should not
// have happened there.
func (w *world) close() {
	if w.server == nil {
		return
	}
	if err := errors.Join(w.findSecrets(), w.astray()); err != nil {
		w.fail("%s: %v", w.name, err)
	}
	for _, problem := range w.server.Problems() {
		w.fail("%s: %v", w.name, problem)
	}
	if err := w.server.Close(); err != nil {
		w.fail("%s: closing the simulator: %v", w.name, err)
	}
	w.server, w.marked = nil, 0
}

func (w *world) start(platform string, extra []githubtest.Entry) error {
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{
		Platform: platform, Version: simulatedVersion, Listener: w.listener, Extra: extra,
	})
	if err != nil {
		return err
	}
	return w.serve(archive)
}

// serve starts the simulator with one archive.
func (w *world) serve(archive *githubtest.Archive) error {
	w.offered = archive
	var server *githubtest.Server // the report below needs it by this name
	var err error
	server, err = githubtest.Start(githubtest.Config{
		Archive: archive,
		Wrap: func(next http.Handler) http.Handler {
			return w.contract.Wrap(next, func(err error) { server.Report(err) })
		},
	})
	w.server = server
	return err
}

// simCommand drives the simulated GitHub.
func simCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sim VERB [WORD...]")
	}
	w := theWorld(ts)
	verbs := map[string]func(*world, *testscript.TestScript, []string) error{
		"start": simStart, "fault": simFault, "clear": simClear, "group": simGroup, "runner": simForeign,
		"runners": simRunners, "token": simToken, "digest": simDigest, "mark": simMark, "requests": simRequests,
		"job": simJob, "tell": simTell, "delete": simDeleteRunner, "listening": simListening, "witness": simWitness,
		"minimum": simMinimum, "begin": simBegin, "queue": simQueue, "stop": simStop, "offer": simOffer, "release": simRelease,
		"app": simApp, "published": simPublished, "schedule": simSchedule, "archive": simArchive,
		"listed": simListed, "bad": simBad, "badkey": simBadKey, "lose-labels": simLoseLabels, "lag": simLag, "asked": simAsked,
		"public": simPublic, "certificate": simCertificate,
	}
	verb, ok := verbs[args[0]]
	if !ok {
		ts.Fatalf("sim has no verb %q", args[0])
	}
	ts.Check(verb(w, ts, args[1:]))
}

// sim start [hostile NAME | broken NAME | other-platform]
func simStart(w *world, ts *testscript.TestScript, args []string) error {
	host, err := download.Host()
	if err != nil {
		return err
	}
	platform, extra := host.String(), []githubtest.Entry(nil)
	switch {
	case len(args) == 2 && args[0] == "hostile":
		i := slices.IndexFunc(githubtest.HostileCases(), func(c githubtest.HostileCase) bool { return c.Name == args[1] })
		if i < 0 {
			return fmt.Errorf("no hostile case %q", args[1])
		}
		extra = githubtest.HostileCases()[i].Entries
	case len(args) == 2 && args[0] == "broken":
		return w.startBroken(ts, platform, args[1])
	case len(args) == 1 && args[0] == "other-platform":
		platform = "win-arm64"
	}
	if err := w.start(platform, extra); err != nil {
		return err
	}
	return w.tellScript(ts)
}

// tellScript says where the simulator is.
func (w *world) tellScript(ts *testscript.TestScript) error {
	ts.Setenv("SIM", w.server.URL())
	ts.Setenv("SIM_TLS", strings.Replace(w.server.URL(), "http:", "https:", 1)) // which it does not speak
	ts.Setenv("SIMAPI", w.server.APIURL())
	ts.Setenv("ARCHIVES", w.server.ArchiveURL())
	ts.Setenv("TOKEN", ts.MkAbs("token"))
	return os.WriteFile(ts.MkAbs("token"), []byte(w.server.Token()+"\n"), 0o600)
}

// sim token other|weak FILE
func simToken(w *world, ts *testscript.TestScript, args []string) error {
	token := w.server.AddToken("somebody-else")
	if args[0] == "weak" {
		token = w.server.AddWeakToken("octo-org", "octo-org/hello")
	}
	return os.WriteFile(ts.MkAbs(args[1]), []byte(token), 0o600)
}

// sim fault METHOD PATH [KEY=VALUE...]; the path - is any.
func simFault(w *world, _ *testscript.TestScript, args []string) error {
	f := githubtest.Fault{Method: args[0], Path: args[1], Header: http.Header{}}
	if f.Path == "-" {
		f.Path = ""
	}
	for _, word := range args[2:] {
		key, value, _ := strings.Cut(word, "=")
		number, _ := strconv.Atoi(value)
		switch key {
		case "host":
			f.Host = value
		case "times":
			f.Times = number
		case "skip":
			f.Skip = number
		case "status":
			f.Status = number
		case "after-effect":
			f.AfterEffect = true
		case "says":
			text, err := json.Marshal(map[string]string{"message": value})
			if err != nil {
				return err
			}
			f.Body = string(text)
		case "not-json":
			f.NotJSON = true
		case "redirect":
			f.Redirect = value
		case "close":
			f.CloseConnection = true
		case "cut":
			f.CutAfter = int64(number)
		case "rate":
			f.RatePerSecond = int64(number)
		case "stall":
			f.StallAfter = int64(number)
		case "header":
			name, text, _ := strings.Cut(value, ":")
			f.Header.Set(name, text)
		case "delay":
			delay, err := time.ParseDuration(value)
			if err != nil {
				return err
			}
			f.Delay = delay
		default:
			return fmt.Errorf("a fault has no %q", key)
		}
	}
	w.server.Fault(f)
	return nil
}

func simClear(w *world, _ *testscript.TestScript, _ []string) error {
	w.server.ClearFaults()
	return nil
}

// sim group SCOPE NAME [no-public] [workflows=[A,B]]: the group Default is there already.
func simGroup(w *world, _ *testscript.TestScript, args []string) error {
	if args[1] != "Default" {
		w.server.AddGroup(args[0], args[1])
	}
	rules := githubtest.GroupRules{NoPublic: slices.Contains(args[2:], "no-public")}
	for _, word := range args[2:] {
		if list, found := strings.CutPrefix(word, "workflows="); found {
			rules.Restricted, rules.Workflows = true, strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
		}
	}
	w.server.SetGroup(args[0], args[1], rules)
	return nil
}

// sim runner SCOPE NAME [online|never]: a stranger's, which may never have run.
func simForeign(w *world, _ *testscript.TestScript, args []string) error {
	r := githubtest.Runner{Name: args[1], OS: "Linux", Status: "offline", Version: "2.300.0"}
	switch {
	case len(args) > 2 && args[2] == "never":
		r.Version = ""
	case len(args) > 2:
		r.Status = args[2]
	}
	w.server.AddRunner(args[0], r)
	return nil
}

// sim begin NAME SCRIPTFILE: starts a job and does not wait for its end.
func simBegin(w *world, ts *testscript.TestScript, args []string) error {
	job := w.server.QueueJob(args[0], githubtest.Job{Name: "build", Script: ts.ReadFile(args[1])})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := job.WaitStarted(ctx)
	return err
}

// sim queue RUNNER FILE: gives a runner a job, and waits for nothing.
func simQueue(w *world, ts *testscript.TestScript, args []string) error {
	w.server.QueueJob(args[0], githubtest.Job{Name: "build", Script: ts.ReadFile(args[1])})
	return nil
}

func simStop(w *world, _ *testscript.TestScript, _ []string) error { w.close(); return nil }

// sim runners: prints what GitHub lists, "none" if that is nothing.
func simRunners(w *world, ts *testscript.TestScript, _ []string) error {
	if len(w.server.Runners("")) == 0 {
		fmt.Fprintln(ts.Stdout(), "none")
	}
	for _, r := range w.server.Runners("") {
		var labels []string
		for _, l := range r.Labels {
			labels = append(labels, l.Name)
		}
		fmt.Fprintf(ts.Stdout(), "%s %s %s ephemeral=%t labels=%s group=%d updates-disabled=%t\n",
			r.Scope, r.Name, r.Status, r.Ephemeral, strings.Join(labels, ","), r.GroupID, r.UpdatesDisabled)
	}
	return nil
}

// sim digest VALUE: what the downloads endpoint says; - for none.
func simDigest(w *world, _ *testscript.TestScript, args []string) error {
	platform, err := download.Host()
	if err != nil {
		return err
	}
	value := args[0]
	if value == "-" {
		value = ""
	}
	w.server.SetDigest(platform.String(), value)
	return nil
}

// sim lose-labels TIMES: so many registrations lose the labels that they ask for.
func simLoseLabels(w *world, _ *testscript.TestScript, args []string) error {
	times, err := strconv.Atoi(args[0])
	w.server.LoseLabels(times)
	return err
}

// sim lag LISTS: a deleted runner stays in so many lists.
func simLag(w *world, _ *testscript.TestScript, args []string) error {
	lists, err := strconv.Atoi(args[0])
	w.server.Lag(lists)
	return err
}

func simMinimum(w *world, _ *testscript.TestScript, args []string) error {
	w.server.SetMinimumVersion(args[0])
	return nil
}

// sim mark: forget the requests so far.
func simMark(w *world, _ *testscript.TestScript, _ []string) error {
	w.marked = len(w.server.Requests())
	return nil
}

// sim requests: prints the requests since the mark.
func simRequests(w *world, ts *testscript.TestScript, _ []string) error {
	fmt.Fprintln(ts.Stdout(), "requests:")
	for _, r := range w.server.Requests()[w.marked:] {
		fmt.Fprintf(ts.Stdout(), "%s %s %s %d\n", r.Root, r.Method, r.Path, r.Status)
	}
	return nil
}

// sim job NAME SCRIPTFILE: runs a job and prints its conclusion and output.
func simJob(w *world, ts *testscript.TestScript, args []string) error {
	job := w.server.QueueJob(args[0], githubtest.Job{Name: "build", Script: ts.ReadFile(args[1])})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conclusion, err := job.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(ts.Stdout(), "%s\n%s", conclusion, job.Output())
	return unbusy(ctx, ts, args[0])
}

// unbusy waits until the agent of this host knows as well that the job of a runner is over: GitHub hears of it a moment before.
func unbusy(ctx context.Context, ts *testscript.TestScript, name string) error {
	for {
		text, err := os.ReadFile(filepath.Join(ts.Getenv("DIR"), "state", "instances", name, "listener.json"))
		if err != nil || !bytes.Contains(text, []byte(`"state":"busy"`)) {
			return nil //nolint:nilerr // it has no agent here
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the agent of %s still says that it is busy", name)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// sim tell NAME exit CODE | update VERSION | deprecate | forget
func simTell(w *world, _ *testscript.TestScript, args []string) error {
	switch args[1] {
	case "exit":
		code, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return w.server.Tell(args[0], githubtest.Exit{Code: code})
	case "update":
		return w.server.Tell(args[0], githubtest.SelfUpdate{Version: args[2]})
	case "deprecate":
		return w.server.Tell(args[0], githubtest.Deprecate{})
	case "forget":
		return w.server.Tell(args[0], githubtest.ForgetRegistration{})
	}
	return fmt.Errorf("nothing to tell called %q", args[1])
}

// sim delete NAME: as somebody on the web page would.
func simDeleteRunner(w *world, _ *testscript.TestScript, args []string) error {
	for _, r := range w.server.Runners("") {
		if r.Name == args[0] {
			w.server.DeleteRunner(r.ID)
			return nil
		}
	}
	return fmt.Errorf("GitHub lists no runner %q", args[0])
}

func simListening(w *world, _ *testscript.TestScript, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return w.server.WaitListening(ctx, args[0])
}

// sim listed NAME: waits until GitHub lists it.
func simListed(w *world, _ *testscript.TestScript, args []string) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for _, r := range w.server.Runners("") {
			if r.Name == args[0] {
				return nil
			}
		}
	}
	return fmt.Errorf("GitHub lists no runner %q", args[0])
}

// sim asked METHOD PATH: waits until that was asked since the mark, and answered.
func simAsked(w *world, _ *testscript.TestScript, args []string) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for _, r := range w.server.Requests()[w.marked:] {
			if r.Method == args[0] && r.Path == args[1] && r.Status != 0 {
				return nil
			}
		}
	}
	return fmt.Errorf("nobody asked %s", strings.Join(args, " "))
}

// sim witness: prints how each simulated program was started.
func simWitness(w *world, ts *testscript.TestScript, _ []string) error {
	for _, one := range w.server.Witnesses() {
		fmt.Fprintf(ts.Stdout(), "%s uid=%d argv=%q environ=%q\n", one.Command, one.UID, one.Argv, one.Environ)
	}
	return nil
}

// exitCodeCommand runs a program and compares its exit code: code N PROGRAM...
func exitCodeCommand(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if !slices.Contains(strings.Split(args[0], "|"), got) { // code 0|9: either, as hosts differ
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// followHint does what the hint of the last command says, which has to have these words: follow WORDS. FILE is the file of
// the token.
func followHint(ts *testscript.TestScript, neg bool, args []string) {
	found := regexp.MustCompile(`hint=("(?:[^"\\\\]|\\\\.)*")`).FindStringSubmatch(ts.ReadFile("stderr"))
	if found == nil {
		ts.Fatalf("no hint was given")
	}
	hint, err := strconv.Unquote(found[1])
	ts.Check(err)
	if !strings.Contains(hint, args[0]) {
		ts.Fatalf("the hint %q has not %q", hint, args[0])
	}
	if err := ts.Exec("sh", "-ec", strings.ReplaceAll(hint, "FILE", ts.Getenv("TOKEN"))); (err != nil) != neg {
		ts.Fatalf("following %q: %v", hint, err)
	}
}

// until repeats a program until it succeeds, for a bounded time: until PROGRAM...
func until(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: %v", strings.Join(args, " "), err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// nothingHalfMade fails when staging directories, part files or temporary
// files are left below $DIR: nohalf, or nohalf resumable, which leaves out the
// part files that the next run continues from.
func nothingHalfMade(ts *testscript.TestScript, _ bool, args []string) {
	root := ts.Getenv("DIR")
	resumable := len(args) == 1 && args[0] == "resumable"
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		name := entry.Name()
		if strings.Contains(name, ".part") && !resumable || strings.Contains(name, ".new-") || strings.HasSuffix(name, ".new") {
			ts.Fatalf("left behind: %s", path)
		}
		return nil
	})
	ts.Check(err)
}
