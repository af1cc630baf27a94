package metadata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	// inNamespace is set for the process that has the address to itself. Its value is
	// the network of the process that started it, which must not be its own.
	inNamespace = "METADATA_TEST_OUTSIDE"
	// proxyAddress is where the environment of that process has its proxy.
	proxyAddress = "127.0.0.1:3128"
)

// TestAtTheAddress runs each subtest in a network of its own, where the address of
// the metadata service is that of this machine.
func TestAtTheAddress(t *testing.T) {
	network, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		missing(t, "there are no network namespaces: %v", err)
	}
	outside := os.Getenv(inNamespace)
	if outside == network {
		t.Fatalf("%s is set outside of a network namespace", inNamespace)
	}
	for name, test := range map[string]func(*testing.T){
		"Await": testAwait, "AWS": testAWS, "Google": testGoogle, "Azure": testAzure, "Acknowledge": testAcknowledge,
		"errors": testErrors, "slow": testSlow, "Detect": testDetect,
		"Lookup": testLookup, "found without firmware": testFound, "unanswered": testUnanswered, "answers": testAnswers,
	} {
		t.Run(name, func(t *testing.T) {
			if outside == "" {
				t.Parallel()
				reexecute(t, network)
				return
			}
			test(t)
		})
	}
}

// missing skips a test, but where all that it needs must be there.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func reexecute(t *testing.T, network string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may have a network of its own")
	}
	attributes := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	try := exec.CommandContext(t.Context(), "ip", "address", "add", "169.254.169.254/32", "dev", "lo")
	try.SysProcAttr = attributes
	if output, err := try.CombinedOutput(); err != nil {
		missing(t, "no network namespace, or no ip in it: %v: %s", err, output)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	only := regexp.MustCompile(`[^/]+`).ReplaceAllString(t.Name(), "^$0$$")
	inside := exec.CommandContext(t.Context(), self, "-test.run="+only, "-test.v", "-test.timeout=2m")
	inside.SysProcAttr = attributes
	// One variable each for the processes that know it in capitals and in small letters.
	inside.Env = append(os.Environ(), inNamespace+"="+network, "GOCOVERDIR="+t.TempDir(),
		"HTTP_PROXY=http://"+proxyAddress, "http_proxy=http://"+proxyAddress, "NO_PROXY=", "no_proxy=")
	output, err := inside.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: "+t.Name()) {
		t.Fatalf("in the namespace: %v\n%s", err, output)
	}
	t.Logf("in the namespace:\n%s", output)
}

// configure gives this network the address.
func configure(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"address", "replace", "169.254.169.254/32", "dev", "lo"}, {"link", "set", "lo", "up"}} {
		if output, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, output)
		}
	}
}

// waiting is an Await in the background.
type waiting struct {
	record
	cancel context.CancelFunc
	done   chan struct{}
	notice Notice
	err    error
}

// start awaits with short waits, until the test ends.
func start(t *testing.T, cloud Cloud) *waiting {
	t.Helper()
	return startAfter(t, cloud, Notice{})
}

// startAfter awaits what comes after a notice.
func startAfter(t *testing.T, cloud Cloud, standing Notice) *waiting {
	t.Helper()
	configure(t)
	ctx, cancel := context.WithCancel(t.Context())
	w := &waiting{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		s := newService()
		defer s.close()
		watch := newWatch(cloud, s, w.logger())
		watch.pace, watch.longest = 20*time.Millisecond, 20*time.Millisecond
		w.notice, w.err = watch.run(ctx, standing)
	}()
	t.Cleanup(func() { cancel(); <-w.done })
	return w
}

// gives waits for a notice.
func (w *waiting) gives(t *testing.T, reason string, at time.Time) {
	t.Helper()
	select {
	case <-w.done:
	case <-time.After(limit):
		t.Fatalf("no notice, want %q; logged:\n%s", reason, w.String())
	}
	if w.err != nil || w.notice.Reason != reason || !w.notice.At.Equal(at) {
		t.Errorf("got %+v and %v, want %q at %v", w.notice, w.err, reason, at)
	}
}

// polled waits until a path was asked so many times more.
func (w *waiting) polled(t *testing.T, s *simulator, path string, times int) {
	t.Helper()
	from := s.count(path)
	w.until(t, fmt.Sprintf("%s asked %d times more", path, times), func() bool { return s.count(path) >= from+times })
}

// until waits for something that happens while there is no notice.
func (w *waiting) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !is(); {
		select {
		case <-w.done:
			t.Fatalf("got %+v and %v before: %s", w.notice, w.err, what)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s; logged:\n%s", what, w.String())
		}
	}
}

// silent makes sure that there is no notice yet, and no word in the log but what is wanted.
func (w *waiting) silent(t *testing.T, logged string) {
	t.Helper()
	select {
	case <-w.done:
		t.Fatalf("got %+v and %v, want nothing", w.notice, w.err)
	default:
	}
	if logged == "" && w.String() != "" || !strings.Contains(w.String(), logged) {
		t.Errorf("want %q in the log, got %q", logged, w.String())
	}
	if strings.Contains(w.String(), "?") {
		t.Errorf("a query is in the log, so that the same error looks like another each time: %s", w.String())
	}
	if w.count("level=WARN") > 1 {
		t.Errorf("warned more than once:\n%s", w.String())
	}
}

// testAwait is Await itself, with its real waits, so what it finds is there at once.
func testAwait(t *testing.T) {
	configure(t)
	var proxied atomic.Int32
	listener, err := net.Listen("tcp4", proxyAddress)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied.Add(1)
		http.Error(w, "proxy", http.StatusBadGateway)
	})}
	go proxy.Serve(listener)
	defer proxy.Close()

	s := newSimulatedAWS(t)
	s.set(action, `{"action":"terminate","time":"2017-09-18T08:22:00Z"}`)
	for range 2 { // a notice that stands is given again
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		notice, err := Await(ctx, AWS, Notice{}, slog.New(slog.DiscardHandler))
		cancel()
		want := Notice{Cloud: AWS, Reason: "spot instance will be terminated", At: time.Date(2017, 9, 18, 8, 22, 0, 0, time.UTC)}
		if err != nil || !notice.same(want) {
			t.Errorf("got %+v and %v, want %+v", notice, err, want)
		}
	}
	if n := proxied.Load(); n != 0 {
		t.Errorf("the proxy of the environment was asked %d times", n)
	}
	until(t, "all connections closed", func() bool { return s.connections() == 0 })

	t.Run("context", func(t *testing.T) {
		s.set(action, "")
		asked, hold := make(chan struct{}), make(chan struct{})
		defer close(hold)
		s.spoil(action, func(w http.ResponseWriter, r *http.Request) { close(asked); <-hold })
		ctx, cancel := context.WithCancel(t.Context())
		var log record
		ended := make(chan error, 1)
		go func() {
			_, err := Await(ctx, AWS, Notice{}, log.logger())
			ended <- err
		}()
		select {
		case <-asked:
		case err := <-ended:
			t.Fatalf("ended with %v before the context did", err)
		case <-time.After(limit):
			t.Fatalf("not asked; logged: %s", log.String())
		}
		begin := time.Now()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(begin) > time.Second {
			t.Errorf("got %v after %s, want the error of the context at once", err, time.Since(begin))
		}
		if log.String() != "" {
			t.Errorf("the end of the context was logged: %s", log.String())
		}
	})
}

// testErrors spoils one answer in every way. None may end the wait, be a notice, or be
// logged more than once at warn, and what comes after must be heard.
func testErrors(t *testing.T) {
	var elsewhere atomic.Int32
	reset := func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		connection.(*net.TCPConn).SetLinger(0)
		connection.Close()
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Error(w, `{"action":"terminate"} TRUE`, code) }
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			w.Write([]byte(text))
		}
	}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "elsewhere" {
			elsewhere.Add(1)
		}
		http.Redirect(w, r, r.URL.Path+"?elsewhere", http.StatusFound)
	}
	spoiled := map[string]struct {
		answer http.HandlerFunc
		logged string
	}{
		"500":      {status(500), "unexpected status 500"},
		"429":      {status(429), "unexpected status 429"},
		"redirect": {redirect, "unexpected status 302"},
		"reset":    {reset, "connection reset by peer"},
		"closed":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"garbage":  {body("<html>Please log in</html>"), "answer "},
		"empty":    {body(""), "answer "},
		"binary":   {body("\x00\xff TRUE"), "answer "},
		"too long": {body(strings.Repeat(" ", 64<<10) + `{"action":"terminate","Events":[{"EventType":"Preempt"}]}TRUE`), "answer of more than 65536 bytes"},
	}
	type target struct {
		path  string
		serve func(*testing.T) *simulator
		value string
	}
	targets := map[Cloud]target{
		AWS:         {action, func(t *testing.T) *simulator { return newSimulatedAWS(t).simulator }, `{"action":"stop"}`},
		GoogleCloud: {preempted, func(t *testing.T) *simulator { return newSimulatedGoogle(t).simulator }, "TRUE"},
		Azure:       {events, newSimulatedAzure, eventList(event("Preempt", "", "worker_1"))},
	}
	reasons := map[Cloud]string{
		AWS: "spot instance will be stopped", GoogleCloud: "instance is being preempted", Azure: "spot virtual machine will be deleted",
	}
	for cloud, on := range targets {
		for name, c := range spoiled {
			t.Run(string(cloud)+" "+name, func(t *testing.T) {
				configure(t)
				s := on.serve(t)
				s.spoil(on.path, c.answer)
				w := start(t, cloud)
				w.polled(t, s, on.path, 4)
				w.silent(t, c.logged)
				if strings.Contains(w.String(), "log in") || strings.Contains(w.String(), "secret-token") {
					t.Errorf("what the service said is in the log: %s", w.String())
				}
				s.spoil(on.path, nil)
				s.set(on.path, on.value)
				w.gives(t, reasons[cloud], time.Time{})
			})
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
	t.Run("nobody there", func(t *testing.T) {
		w := start(t, GoogleCloud)
		w.until(t, "asked again", func() bool { return w.count("level=DEBUG") > 2 })
		w.silent(t, "connection refused")
		s := newSimulatedGoogle(t)
		s.set(preempted, "TRUE")
		w.gives(t, reasons[GoogleCloud], time.Time{})
	})
}

// testSlow has every cloud answer after six seconds, which only the first question to
// Azure may take, and that of Google which waits for a change.
func testSlow(t *testing.T) {
	configure(t)
	s := newSimulatedAzure(t)
	slow := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(6 * time.Second):
		case <-r.Context().Done():
		}
		w.Write([]byte(eventList()))
	}
	s.spoil(events, slow)
	s.spoil("/latest/api/token", slow)
	s.spoil(action, slow)
	google := func(answer http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			w.Header().Set("ETag", "1")
			answer(w, r)
			io.WriteString(w, "FALSE")
		}
	}
	s.spoil(maintenance, google(func(http.ResponseWriter, *http.Request) {}))
	s.spoil(preempted, google(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait_for_change") == "true" {
			select {
			case <-time.After(6 * time.Second):
			case <-r.Context().Done():
			}
		}
	}))
	onAzure, onAWS, onGoogle := start(t, Azure), start(t, AWS), start(t, GoogleCloud)
	onAzure.polled(t, s, events, 1) // the second question, so the first was answered
	onAzure.silent(t, "")
	onGoogle.until(t, "another question to Google", func() bool { return s.count(preempted) > 2 })
	onGoogle.silent(t, "")
	onAWS.until(t, "AWS given up", func() bool { return onAWS.count("no answer in time") > 0 }) // with a token, and without
	onAWS.silent(t, "no answer in time")
	onAWS.cancel()
	onAzure.until(t, "Azure given up", func() bool { return onAzure.count("no answer in time") > 0 })
	if n := strings.Count(onAWS.String(), "no answer"); n != onAWS.count("\n") {
		t.Errorf("the same failure is told several times in one line: %s", onAWS.String())
	}
}

func testDetect(t *testing.T) {
	ask := func(t *testing.T) Cloud {
		t.Helper()
		configure(t)
		s := newService()
		defer s.close()
		begin := time.Now()
		cloud, found := probe(t.Context(), s)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("took %s, want a second at most", took)
		}
		if found != (cloud != "") {
			t.Errorf("got %q and %t", cloud, found)
		}
		return cloud
	}
	expect := func(name string, want Cloud, serve func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			configure(t)
			serve(t)
			if got := ask(t); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	with := func(answer http.HandlerFunc) func(*testing.T) {
		return func(t *testing.T) { newSimulator().serve(t, answer) }
	}
	expect("AWS", AWS, func(t *testing.T) { newSimulatedAWS(t) })
	expect("Google", GoogleCloud, func(t *testing.T) { newSimulatedGoogle(t) })
	expect("Azure", Azure, func(t *testing.T) { newSimulatedAzure(t) })
	expect("OpenStack", OpenStack, func(t *testing.T) { newSimulatedOpenStack(t) })
	expect("OpenStack with tokens", OpenStack, func(t *testing.T) { serveTokens(newSimulatedOpenStack(t)) })
	expect("tokens, and nothing else that is clear", "", func(t *testing.T) {
		s := newSimulatedOpenStack(t)
		serveTokens(s)
		s.spoil(metaData, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	})
	expect("nobody", "", func(*testing.T) {})
	expect("a server that knows everything", "", with(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("welcome")) }))
	expect("a server with JSON for everything", "", with(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("{}")) }))
	expect("a server that sends away", "", with(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1/", http.StatusFound)
	}))
	refuse := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		http.Error(w, `{"vmId":"x","uuid":"x"}`, http.StatusForbidden)
	}
	expect("a server that refuses", "", with(refuse))
	// Several clouds at one address: which one is taken does not depend on who answers first.
	says := map[string]http.HandlerFunc{
		token: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			io.WriteString(w, "token")
		},
		"/computeMetadata/v1/": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Metadata-Flavor", "Google") },
		compute:                func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, azureCompute("2")) },
		metaData:               func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, novaMetaData) },
	}
	for want, paths := range map[Cloud][2]string{
		AWS: {token, compute}, GoogleCloud: {"/computeMetadata/v1/", compute}, Azure: {compute, metaData},
	} {
		for _, slow := range paths {
			expect(fmt.Sprintf("%q, with %s slow", paths, slow), want, with(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == slow {
					select {
					case <-time.After(200 * time.Millisecond):
					case <-r.Context().Done():
					}
				}
				if !slices.Contains(paths[:], r.URL.Path) {
					http.NotFound(w, r)
					return
				}
				says[r.URL.Path](w, r)
			}))
		}
	}
	expect("a server that never answers", "", with(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Run("by its name", func(t *testing.T) {
		configure(t)
		newSimulatedGoogle(t)
		want, known := fromDMI(os.DirFS(dmiFolder)) // this machine may be in a cloud
		if !known {
			want = GoogleCloud
		}
		if got, found := Detect(t.Context()); got != want || !found {
			t.Errorf("got %q and %t, want %q", got, found, want)
		}
	})
	t.Run("OpenStack gives no notice", func(t *testing.T) {
		configure(t)
		newSimulatedOpenStack(t)
		want, known := fromDMI(os.DirFS(dmiFolder))
		if !known || want == OpenStack {
			want = ""
		}
		if got, found := Detect(t.Context()); got != want || found != (want != "") {
			t.Errorf("got %q and %t, want %q", got, found, want)
		}
	})
}
