package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor/nt"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// proxyError says that a proxy did not let us through.
type proxyError struct {
	proxy  *url.URL // without its password
	status int      // 0: it was not reached
	cause  error
}

func (e *proxyError) Error() string {
	if e.status == 0 {
		return fmt.Sprintf("the proxy %s cannot be reached: %v", e.proxy.Host, e.cause)
	}
	return fmt.Sprintf("the proxy %s refuses with status %d (%s)", e.proxy.Host, e.status, http.StatusText(e.status))
}

func (e *proxyError) Unwrap() error { return e.cause }

// proxyFix names no password, of which a hint must not know.
func (n network) proxyFix(e *proxyError, to endpoint) string {
	if e.status == http.StatusProxyAuthRequired {
		if shell.Here().Do(shell.SetVariable) == "" {
			return "" // no word before a command sets a variable
		}
		return "https_proxy=" + e.proxy.Scheme + "://USER:PASSWORD@" + e.proxy.Host + " " + n.host.Again()
	}
	return shell.Here().Words(shell.Here().Do(shell.Fetch), "-v", "--proxy", e.proxy.Scheme+"://"+e.proxy.Host, to.url.String())
}

// tunnel asks a proxy for a connection to an endpoint.
func (n network) tunnel(ctx context.Context, through *url.URL, to endpoint) (net.Conn, error) {
	bare := &url.URL{Scheme: through.Scheme, Host: through.Host}
	wire, err := (&net.Dialer{}).DialContext(ctx, "tcp", endpoint{url: bare}.address())
	if err != nil {
		return nil, &proxyError{proxy: bare, cause: err}
	}
	stop := context.AfterFunc(ctx, func() { _ = wire.Close() }) // what reads and writes below has no other end
	defer stop()
	if through.Scheme == "https" {
		client := tls.Client(wire, n.tlsTo(through.Hostname()))
		if err := client.HandshakeContext(ctx); err != nil {
			_ = wire.Close() // it is of no use any more
			return nil, &proxyError{proxy: bare, cause: err}
		}
		wire = client
	}
	status, err := connect(ctx, wire, through, to.address())
	if err != nil || status != http.StatusOK {
		_ = wire.Close() // it is of no use any more
		return nil, &proxyError{proxy: bare, status: status, cause: err}
	}
	return wire, nil
}

// connect sends a CONNECT, and returns the status of the answer.
func connect(ctx context.Context, wire net.Conn, through *url.URL, address string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodConnect, "http://"+address, http.NoBody)
	if err != nil {
		return 0, err
	}
	request.URL = &url.URL{Opaque: address}
	request.Header.Set("User-Agent", "runner-bootstrap")
	if through.User != nil {
		password, _ := through.User.Password()
		pair := base64.StdEncoding.EncodeToString([]byte(through.User.Username() + ":" + password))
		request.Header.Set("Proxy-Authorization", "Basic "+pair)
	}
	if err := request.Write(wire); err != nil {
		return 0, err
	}
	// What follows the answer is no body of it, and is not to be waited for.
	answer, err := http.ReadResponse(bufio.NewReader(wire), request) //nolint:bodyclose // likewise
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, nil
}

// unused tells of a proxy that the system has for other programs.
func (n network) unused(proxy string) Finding {
	finding := Finding{
		Check: "proxy", State: Warning, Object: proxy,
		Found: "Windows has this proxy for other programs; this one and GitHub's runner use what --proxy or the variable https_proxy names",
	}
	if proxy = nt.ProxyURL(proxy); proxy != "" {
		finding.Fix = n.host.Again("--proxy", proxy)
	}
	return finding
}

func (n network) proxy(ctx context.Context) []Finding {
	const check = "proxy"
	all := n.ours()
	if len(all) == 0 {
		return skipped(check, noURL)
	}
	e := all[len(all)-1] // the API
	through := n.proxyFor(e)
	switch {
	case through == nil && nt.Proxy() != "":
		return []Finding{n.unused(nt.Proxy())}
	case through == nil:
		return skipped(check, "none is set for %s", e.name())
	case !strings.HasPrefix(through.Scheme, "http"):
		return skipped(check, "one of kind %s is not looked at", through.Scheme)
	}
	ctx, cancel := context.WithTimeout(ctx, networkTime)
	defer cancel()
	wire, err := n.tunnel(ctx, through, e)
	if err != nil {
		found, fix := n.explain(e, err)
		return one(check, Failed, through.Host, found, fix)
	}
	_ = wire.Close() // nothing was sent through it
	return one(check, OK, through.Host, "it lets us through to "+e.address(), "")
}
