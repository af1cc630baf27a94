package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// endpoint is one place at the network.
type endpoint struct {
	url    *url.URL
	needed bool // nothing works without it
}

func (e endpoint) name() string { return e.url.Hostname() }

func (e endpoint) address() string {
	port := e.url.Port()
	switch {
	case port != "":
	case e.url.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return net.JoinHostPort(e.url.Hostname(), port)
}

func secure(host string, needed bool) endpoint {
	return endpoint{url: &url.URL{Scheme: "https", Host: host}, needed: needed}
}

// network makes the checks that need one.
type network struct{ host Host }

// ours are the hosts that an install speaks to.
func (n network) ours() []endpoint {
	if n.host.Scope == nil {
		return nil
	}
	var all []endpoint
	for _, raw := range []string{n.host.Scope.Server(), n.host.Scope.API()} {
		u, err := url.Parse(raw)
		if err != nil || slices.ContainsFunc(all, func(e endpoint) bool { return e.url.Host == u.Host }) {
			continue
		}
		all = append(all, endpoint{url: &url.URL{Scheme: u.Scheme, Host: u.Host}, needed: true})
	}
	return all
}

// forJobs are the hosts that the runner and usual jobs speak to beside ours, as GitHub documents them. A server that
// somebody runs has them all under its own name. Of those of ghe.com GitHub documents no more than how they end, so that
// what is missing there is no more than a warning.
func (n network) forJobs() []endpoint {
	if n.host.Scope == nil || !n.host.Scope.Cloud() {
		return nil
	}
	needed, others := []string{
		"broker.actions.githubusercontent.com", "results-receiver.actions.githubusercontent.com", "codeload.github.com",
	}, []string{
		"vstoken.actions.githubusercontent.com", "pkg.actions.githubusercontent.com", "ghcr.io",
		"objects.githubusercontent.com", "release-assets.githubusercontent.com",
	}
	if own, found := strings.CutSuffix(n.ours()[0].name(), ".ghe.com"); found {
		domain := own[strings.LastIndex(own, ".")+1:] + ".ghe.com"
		needed, others = nil, []string{
			"broker.actions." + domain, "results-receiver.actions." + domain, "token.actions." + domain,
			"codeload." + domain, "containers." + domain,
		}
	}
	var all []endpoint
	for _, host := range needed {
		all = append(all, secure(host, true))
	}
	for _, host := range others {
		all = append(all, secure(host, false))
	}
	return all
}

// port looks whether config.sh finds the server, which leaves a port out of its URL (actions/runner,
// RunnerDotcomServer.cs): another one may listen there, or nobody.
func (n network) port(ctx context.Context) []Finding {
	const check = "port"
	switch {
	case n.host.Scope == nil:
		return skipped(check, noURL)
	case n.host.Scope.Port() == "":
		return skipped(check, "--url has the usual one")
	}
	at := *n.ours()[0].url
	at.Host = strings.TrimSuffix(at.Host, ":"+n.host.Scope.Port())
	usual := endpoint{url: &at}
	found := fmt.Sprintf("GitHub's own program leaves out the port of --url, %s, and asks %s", n.host.Scope.Port(), usual.url)
	fix := "runner-bootstrap install --jit --url " + shell.Quote(n.host.Scope.URL())
	if err := each(ctx, []endpoint{usual}, n.reach)[0]; err != nil {
		return one(check, Failed, usual.address(), found+", which does not answer", fix)
	}
	return one(check, Warning, usual.address(), found, fix)
}

// proxyFor is the proxy on the way to an endpoint; nil for none.
func (n network) proxyFor(e endpoint) *url.URL {
	if n.host.Proxy == nil {
		return nil
	}
	through, err := n.host.Proxy(&http.Request{URL: e.url})
	if err != nil {
		return nil
	}
	return through
}

// each asks something of all endpoints at the same time, each within networkTime; the answers keep their order.
func each(ctx context.Context, all []endpoint, ask func(context.Context, endpoint) error) []error {
	ctx, cancel := context.WithTimeout(ctx, networkTime)
	defer cancel()
	answers := make([]error, len(all))
	var group sync.WaitGroup
	for i, e := range all {
		group.Go(func() { answers[i] = ask(ctx, e) })
	}
	group.Wait()
	return answers
}

const (
	noURL     = "no --url given"
	withProxy = "the proxy does it"
)

func resolve(ctx context.Context, e endpoint) error {
	_, err := net.DefaultResolver.LookupIPAddr(ctx, e.name())
	return err
}

func (n network) dns(ctx context.Context) []Finding {
	const check = "dns"
	all := n.ours()
	if len(all) == 0 {
		return skipped(check, noURL)
	}
	all = slices.DeleteFunc(all, func(e endpoint) bool { return n.proxyFor(e) != nil })
	if len(all) == 0 {
		return skipped(check, withProxy)
	}
	return n.summed(check, "resolved", all, each(ctx, all, resolve))
}

func (n network) tls(ctx context.Context) []Finding {
	const check = "tls"
	all := n.ours()
	if len(all) == 0 {
		return skipped(check, noURL)
	}
	var come []endpoint
	var answers []error
	for i, err := range each(ctx, all, n.reach) {
		if !toldBefore(err) {
			come, answers = append(come, all[i]), append(answers, err)
		}
	}
	if len(come) == 0 {
		return skipped(check, "no connection (see above)")
	}
	return n.summed(check, "reached", come, answers)
}

// toldBefore tells whether the checks of names and of the proxy say already what is wrong.
func toldBefore(err error) bool {
	var name *net.DNSError
	var proxy *transport.ProxyError
	return errors.As(err, &name) || errors.As(err, &proxy)
}

func (n network) jobHosts(ctx context.Context) []Finding {
	const check = "hosts"
	all := n.forJobs()
	switch {
	case n.host.Scope == nil:
		return skipped(check, noURL)
	case len(all) == 0:
		return one(check, OK, n.host.Scope.Server(), "jobs need no other host of GitHub's", "")
	}
	return n.summed(check, "reached", all, each(ctx, all, n.reach))
}

// summed is one finding for all endpoints that are well, and one for each that is not.
func (n network) summed(check, verb string, all []endpoint, answers []error) []Finding {
	var well []string
	var findings []Finding
	for i, e := range all {
		if answers[i] == nil {
			well = append(well, e.name())
			continue
		}
		state := Failed
		if !e.needed {
			state = Warning
		}
		found, fix := n.explain(e, answers[i])
		findings = append(findings, one(check, state, e.address(), found, fix)...)
	}
	if len(well) > 0 {
		findings = append(one(check, OK, strings.Join(well, ", "), verb, ""), findings...)
	}
	return findings
}

// explain says what is wrong between an endpoint and us, and what to do.
func (n network) explain(e endpoint, err error) (found, fix string) {
	var name *net.DNSError
	var refused *transport.ProxyError
	certificate := transport.Certificate(err, n.host.Roots)
	switch {
	case errors.As(err, &refused):
		return refused.Error(), n.proxyFix(refused, e)
	case errors.As(err, &name):
		return "the name cannot be resolved: " + name.Err, shell.Here().Do(shell.ShowName, e.name())
	case certificate != nil && errors.Is(certificate, transport.ErrUntrusted):
		return certificate.Error(), n.host.Again("--ca-file", "FILE")
	case certificate != nil && errors.Is(certificate, transport.ErrNotValidNow):
		return certificate.Error(), shell.Here().Do(shell.ShowClock)
	case certificate != nil:
		return certificate.Error(), lookAt(e)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", networkTime), lookAt(e)
	default:
		return err.Error(), lookAt(e)
	}
}

// lookAt asks an endpoint by another program.
func lookAt(e endpoint) string {
	return shell.Here().Words(shell.Here().Do(shell.Fetch), "-v", e.url.String())
}

// reach connects to an endpoint the way everything else does, by way of proxies, and speaks TLS to it. Nothing is asked there.
func (n network) reach(ctx context.Context, e endpoint) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var reached atomic.Bool
	watched := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(made httptrace.GotConnInfo) {
		reached.Store(true)
		stop()
		// To end the request alone is not enough: its first bytes may be on their way already. That it was reached is known, so
		// how the closing ends is of no interest.
		_ = made.Conn.Close()
	}})
	request, err := http.NewRequestWithContext(watched, http.MethodHead, e.url.String(), http.NoBody)
	if err != nil {
		return err
	}
	client := transport.NewDownload(transport.Config{UserAgent: "runner-bootstrap", Roots: n.host.Roots, Proxy: n.host.Proxy})
	answer, err := client.Do(request)
	if err == nil {
		_ = answer.Body.Close() // it has none
	}
	var asked *url.Error
	switch {
	case err == nil, reached.Load():
		return nil
	case errors.As(err, &asked):
		return asked.Err
	}
	return err
}

// ipv6Time is how long a connection by IPv6 may take before it makes others wait that try it first.
const ipv6Time = 3 * time.Second

// ipv6 warns of hosts that are said to be reached by IPv6, and swallow what is sent to them so. One that refuses, or
// has no route, costs nothing.
func (n network) ipv6(ctx context.Context) []Finding {
	const check = "ipv6"
	all := slices.DeleteFunc(append(n.ours(), n.forJobs()...), func(e endpoint) bool { return n.proxyFor(e) != nil })
	switch {
	case n.host.Scope == nil:
		return skipped(check, noURL)
	case len(all) == 0:
		return skipped(check, withProxy)
	}
	var broken []string
	for i, err := range each(ctx, all, connectByIPv6) {
		if err != nil {
			broken = append(broken, all[i].name())
		}
	}
	if len(broken) > 0 {
		return one(check, Warning, strings.Join(broken, ", "), "connections by IPv6 get no answer, which makes others wait",
			shell.Here().Do(shell.AvoidIPv6))
	}
	return one(check, OK, "", "nothing that makes connections slow", "")
}

// connectByIPv6 returns an error if a connection is neither made nor refused in time.
func connectByIPv6(ctx context.Context, e endpoint) error {
	addresses, err := net.DefaultResolver.LookupIP(ctx, "ip6", e.name())
	if err != nil || len(addresses) == 0 {
		return nil //nolint:nilerr // without an address nobody tries it
	}
	_, port, err := net.SplitHostPort(e.address())
	if err != nil {
		return nil //nolint:nilerr // it is made by ourselves
	}
	ctx, cancel := context.WithTimeout(ctx, ipv6Time)
	defer cancel()
	return swallowed(ctx, net.JoinHostPort(addresses[0].String(), port))
}

// swallowed returns an error if ctx ends before a connection is made or refused.
func swallowed(ctx context.Context, address string) error {
	wire, err := (&net.Dialer{}).DialContext(ctx, "tcp6", address)
	if err == nil {
		return wire.Close()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}
