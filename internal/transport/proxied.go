package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
)

// What a [*ProxyError] can be matched against with errors.Is.
var (
	// ErrProxy means that a request did not get past the proxy.
	ErrProxy = errors.New("the proxy is in the way")
	// ErrProxyAway means that it may do so later: the proxy is not there, or has failed.
	ErrProxyAway = errors.New("the proxy does not work now")
)

// ProxyError says that a request did not get past a proxy. The server has not seen it.
type ProxyError struct {
	Proxy  *url.URL // without its password
	Status int      // of the proxy's answer; 0 if there was none that a proxy gives
	// Takes are the ways in which a proxy of status 407 lets itself be shown who asks: "Basic", "NTLM".
	Takes []string
	Cause error // with status 0
}

// Error is one line.
func (e *ProxyError) Error() string {
	var dial *net.OpError
	var name *net.DNSError
	var untrusted *CertificateError
	switch {
	case e.Status == http.StatusProxyAuthRequired && e.Foreign():
		return fmt.Sprintf("the proxy %s refuses with status %d: it takes %s, and this program can only do Basic",
			e.Proxy.Host, e.Status, strings.Join(e.Takes, " or "))
	case e.Status != 0:
		text := fmt.Sprintf("the proxy %s refuses with status %d", e.Proxy.Host, e.Status)
		if words := http.StatusText(e.Status); words != "" {
			text += " (" + words + ")"
		}
		return text
	case errors.As(e.Cause, &untrusted):
		return fmt.Sprintf("the proxy %s is not used: %v", e.Proxy.Host, untrusted)
	case errors.Is(e.Cause, context.DeadlineExceeded):
		return fmt.Sprintf("the proxy %s does not answer", e.Proxy.Host)
	case errors.As(e.Cause, &name), errors.As(e.Cause, &dial) && dial.Op == "dial":
		return fmt.Sprintf("the proxy %s cannot be reached: %v", e.Proxy.Host, e.Cause)
	case errors.As(e.Cause, &dial) && strings.HasPrefix(dial.Op, "socks"):
		return fmt.Sprintf("the proxy %s does not let us through: %s", e.Proxy.Host, strings.TrimPrefix(dial.Err.Error(), "unknown error "))
	case errors.Is(e.Cause, io.EOF), errors.Is(e.Cause, io.ErrUnexpectedEOF), errors.Is(e.Cause, syscall.ECONNRESET):
		return fmt.Sprintf("the proxy %s ends the connection without an answer: %v", e.Proxy.Host, e.Cause)
	}
	return fmt.Sprintf("the proxy %s does not answer as a proxy does: %v", e.Proxy.Host, e.Cause)
}

// Is matches the two sentinels.
func (e *ProxyError) Is(target error) bool {
	return target == ErrProxy || target == ErrProxyAway && !e.Lasting()
}

// Unwrap is why there was no answer.
func (e *ProxyError) Unwrap() error { return e.Cause }

// Timeout is for who asks a [*url.Error], which looks at the error in it alone.
func (e *ProxyError) Timeout() bool { return timedOut(e.Cause) }

// Foreign tells whether the proxy wants to be shown who asks in ways alone that this program does not know.
func (e *ProxyError) Foreign() bool {
	return len(e.Takes) > 0 && !slices.ContainsFunc(e.Takes, func(way string) bool { return strings.EqualFold(way, "Basic") })
}

// Lasting tells whether to ask again is of no use.
func (e *ProxyError) Lasting() bool {
	var socks *net.OpError
	switch {
	case e.Status == http.StatusNetworkAuthenticationRequired:
		return true
	case e.Status != 0:
		return e.Status < http.StatusInternalServerError
	case errors.As(e.Cause, &socks) && strings.HasPrefix(socks.Op, "socks"):
		// A wrong password that is sent again and again locks an account.
		return strings.Contains(socks.Err.Error(), "authentication") || strings.Contains(socks.Err.Error(), "not allowed by ruleset")
	}
	return Untrusted(e.Cause) || errors.Is(e.Cause, ErrNoTLS)
}

// RefusedByProxy tells whether err is a refusal of a proxy that will last.
func RefusedByProxy(err error) bool {
	var refused *ProxyError
	return errors.As(err, &refused) && refused.Lasting()
}

func bareProxy(proxy *url.URL) *url.URL { return &url.URL{Scheme: proxy.Scheme, Host: proxy.Host} }

// refusedWith is what a proxy has answered.
func refusedWith(proxy *url.URL, resp *http.Response) *ProxyError {
	e := &ProxyError{Proxy: bareProxy(proxy), Status: resp.StatusCode}
	if resp.StatusCode != http.StatusProxyAuthRequired {
		return e
	}
	for _, challenge := range resp.Header.Values("Proxy-Authenticate") {
		way, _, _ := strings.Cut(strings.TrimSpace(challenge), " ")
		if way != "" && len(e.Takes) < maxWays && !strings.ContainsFunc(way, func(r rune) bool { return !isLetterOrDigit(r) && r != '-' }) {
			e.Takes = append(e.Takes, way)
		}
	}
	return e
}

// maxWays bounds what is repeated of a proxy's answer.
const maxWays = 4

// onConnect looks at what a proxy says to a request for a tunnel.
func onConnect(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return refusedWith(proxy, resp)
}

// passage watches how far a request gets that goes through a proxy.
type passage struct {
	proxy *url.URL
	// handshakes are those of TLS that were begun, that with an https proxy among them.
	handshakes atomic.Int32
	through    atomic.Bool
}

// watch returns the request with the watch on it.
func (p *passage) watch(req *http.Request) *http.Request {
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		TLSHandshakeStart: func() { p.handshakes.Add(1) },
		GotConn:           func(httptrace.GotConnInfo) { p.through.Store(true) },
	}))
}

// blame says of an error whether it is the proxy's: what goes wrong before TLS begins with the server is.
func (p *passage) blame(err error) error {
	var known *ProxyError
	var connect *net.OpError
	begun := p.handshakes.Load()
	if p.proxy.Scheme == "https" {
		begun--
	}
	if p.through.Load() || begun > 0 || errors.Is(err, context.Canceled) || errors.As(err, &known) {
		return err
	}
	if errors.As(err, &connect) && connect.Op == "proxyconnect" {
		err = connect.Err
	}
	return &ProxyError{Proxy: bareProxy(p.proxy), Cause: err}
}
