package doctor

import (
	"context"
	"errors"
	"net/http"

	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor/nt"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// proxyFix names no password, of which a hint must not know.
func (n network) proxyFix(e *transport.ProxyError, to endpoint) string {
	if e.Foreign() {
		return "" // nothing that is set here would do
	}
	if e.Status == http.StatusProxyAuthRequired {
		if shell.Here().Do(shell.SetVariable) == "" {
			return "" // no word before a command sets a variable
		}
		return "https_proxy=" + e.Proxy.Scheme + "://USER:PASSWORD@" + e.Proxy.Host + " " + n.host.Again()
	}
	return shell.Here().Words(shell.Here().Do(shell.Fetch), "-v", "--proxy", e.Proxy.Scheme+"://"+e.Proxy.Host, to.url.String())
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
	}
	err := each(ctx, []endpoint{e}, n.reach)[0]
	var refused *transport.ProxyError
	if errors.As(err, &refused) {
		return one(check, Failed, through.Host, refused.Error(), n.proxyFix(refused, e))
	}
	return one(check, OK, through.Host, "it lets us through to "+e.address(), "")
}
