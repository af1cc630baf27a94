package transport

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

func TestProxyURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://proxy:3128":                    "http://proxy:3128",
		"proxy:3128":                           "http://proxy:3128",
		"proxy":                                "http://proxy",
		"HTTPS://proxy.example.com:443/":       "https://proxy.example.com:443",
		"http://proxy:3128/path":               "http://proxy:3128",
		" http://proxy:3128\n":                 "http://proxy:3128",
		"socks5://10.0.0.1:1080":               "socks5://10.0.0.1:1080",
		"socks5h://proxy:1080":                 "socks5h://proxy:1080",
		"http://[2001:db8::1]:3128":            "http://[2001:db8::1]:3128",
		"http://me:secret@proxy:3128":          "http://me:secret@proxy:3128",
		"http://user:50%off@127.0.0.1:8180":    "http://user:50%25off@127.0.0.1:8180",
		"http://user:50%25off@127.0.0.1:8180":  "http://user:50%25off@127.0.0.1:8180",
		"http://user:%zz%4@proxy:1":            "http://user:%25zz%254@proxy:1",
		"http://user:a@b@proxy:1":              "http://user:a%40b@proxy:1",
		"http://user:p%23%2F%3F%40@proxy:1":    "http://user:p%23%2F%3F%40@proxy:1",
		"http://user@proxy:1":                  "http://user@proxy:1",
		"http://user:@proxy:1":                 "http://user:@proxy:1",
		"http://DOMAIN%5Cuser:pw@proxy:1":      "http://DOMAIN%5Cuser:pw@proxy:1",
		`http://DOMAIN\user:p^w|{}@proxy:1`:    "http://DOMAIN%5Cuser:p%5Ew%7C%7B%7D@proxy:1",
		"user:pw:with:colons@proxy:1":          "http://user:pw%3Awith%3Acolons@proxy:1",
		"http://under_score.example.com.:3128": "http://under_score.example.com.:3128",
		"http://[fe80::1%25eth0]:3128":         "http://[fe80::1%25eth0]:3128",
		"http://[fe80::1%eth0]:3128":           "http://[fe80::1%25eth0]:3128",
		"socks5://me:pw@[fe80::1%25en-0.1]:1":  "socks5://me:pw@[fe80::1%25en-0.1]:1",
	} {
		u, err := ProxyURL("https_proxy", text)
		if err != nil || u.String() != want {
			t.Errorf("%q is %v, %v, want %s", text, u, err, want)
			continue
		}
		if again, err := url.Parse(u.String()); err != nil || again.Host != u.Host {
			t.Errorf("%q: others read %v, %v", text, again, err)
		}
	}
}

func TestProxyURLRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ftp://proxy:3128":               "not by \"ftp\"",
		"socks4://proxy:1080":            "not by \"socks4\"",
		"://proxy":                       "not by \"\"",
		`"http://proxy:3128"`:            "quotes",
		"'http://proxy:3128'":            "quotes",
		"http://pro xy:3128":             "blank",
		"http://proxy:3128\x00":          "control character",
		"http://user:se#cret@proxy:3128": "written %23",
		"http://user:se/cret@proxy:3128": "written %2F",
		"http://user:se?cret@proxy:3128": "written %3F",
		"http://":                        "no host",
		"http://:3128":                   "no host",
		"http://user:secret@":            "no host",
		"http://proxy:":                  "port is missing",
		"http://proxy:0":                 "port is none",
		"http://proxy:65536":             "port is none",
		"http://proxy:http":              "not understood",
		"http://2001:db8::1":             "not understood",
		"http://[::1":                    "not understood",
		"http://[::ffff:x.y]:1":          "",
		"http://[fe80::zz]:1":            "not understood",
		"http://proxy|x:3128":            "",
		"http://prox%79:3128":            "",
		"http://[proxy%25eth0]:3128":     "not understood",
		"http://wpad/wpad.dat":           "a file that says which proxy to use",
		"http://proxy/x/Proxy.PAC":       "a file that says which proxy to use",
	} {
		_, err := ProxyURL("https_proxy", text)
		var variable *ProxyVariableError
		if !errors.As(err, &variable) || variable.Name != "https_proxy" || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: its password is told: %v", text, err)
		}
	}
}

func TestProxyVariables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  map[string]string
		want string
	}{
		"none":             {nil, ""},
		"lower case wins":  {map[string]string{"https_proxy": "a:1", "HTTPS_PROXY": "b:1"}, "https=http://a:1"},
		"upper case":       {map[string]string{"HTTP_PROXY": "b:1"}, "http=http://b:1"},
		"all":              {map[string]string{"ALL_PROXY": "socks5h://a:1"}, "http=socks5h://a:1 https=socks5h://a:1"},
		"all but one":      {map[string]string{"all_proxy": "a:1", "https_proxy": "b:1"}, "http=http://a:1 https=http://b:1"},
		"exceptions":       {map[string]string{"no_proxy": "a, b\tc"}, "no=a,b,c"},
		"empty is not set": {map[string]string{"https_proxy": "", "HTTPS_PROXY": "b:1"}, "https=http://b:1"},
	} {
		got, err := ProxyVariables(func(name string) string { return c.set[name] })
		var all []string
		for _, kind := range []string{"http", "https", "no"} {
			if value := got[kind+"_proxy"]; value != "" {
				all = append(all, kind+"="+value)
			}
		}
		if text := strings.Join(all, " "); err != nil || text != c.want {
			t.Errorf("%s: %s, %v, want %s", name, text, err, c.want)
		}
	}
	for _, name := range []string{"http_proxy", "HTTPS_PROXY", "all_proxy", "NO_PROXY"} {
		_, err := ProxyVariables(func(asked string) string {
			if asked == name {
				return "ftp://x/@"
			}
			return ""
		})
		if err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProxyExceptions(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"*":                            "*",
		"localhost,127.0.0.1,::1":      "localhost,127.0.0.1,::1",
		".example.com":                 ".example.com,example.com",
		"*.example.com":                "*.example.com",
		"example.com.":                 "example.com",
		"example.com:8443,[::1]:80":    "example.com:8443,[::1]:80",
		"10.0.0.0/8 fd00::/8":          "10.0.0.0/8,fd00::/8",
		",, a ,":                       "a",
		"[::1]":                        "::1",
		"FD00:0:0::9":                  "fd00::9",
		"host_1,xn--bcher-kva.example": "host_1,xn--bcher-kva.example",
	} {
		if got, err := ProxyExceptions("no_proxy", list); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", list, got, err, want)
		}
	}
	for _, list := range []string{"10.0.0.0/33", "10.*", "a.*.b", "http://a", "a/b", "a:0", "a:x", "me@a", `"a"`, "a|b", "10.9.9", "10.9.9.", "192.168", ".10.9.9", "256.1.1.1", "10"} {
		if got, err := ProxyExceptions("no_proxy", list); err == nil || !strings.Contains(err.Error(), "no_proxy: ") {
			t.Errorf("%q is %q, %v", list, got, err)
		}
	}
}

func FuzzProxyURL(f *testing.F) {
	for _, seed := range []string{"http://user:50%off@127.0.0.1:8180", "proxy", "socks5h://[::1]:1", "http://a@b@c:1/?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ProxyURL("https_proxy", text)
		if err != nil {
			return
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host || again.Scheme != u.Scheme {
			t.Fatalf("%q is %q, which is read as %v, %v", text, u, again, err)
		}
		if u.User != nil && again.User.String() != u.User.String() {
			t.Fatalf("%q: the account is read as %q", text, again.User)
		}
	})
}

func FuzzProxyExceptions(f *testing.F) {
	f.Add("localhost, .example.com 10.0.0.0/8,[::1]:80,*")
	f.Fuzz(func(t *testing.T, list string) {
		got, err := ProxyExceptions("no_proxy", list)
		if err != nil {
			return
		}
		if again, err := ProxyExceptions("no_proxy", got); err != nil || strings.ContainsAny(got, " \n") {
			t.Fatalf("%q is %q, which is %q, %v", list, got, again, err)
		}
	})
}

// A proxy that refuses is named, and is asked once where it will refuse again. None of its answers is taken for GitHub's.
func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	for status, tries := range map[int]int32{407: 1, 403: 1, 503: 1 + retries} {
		var asked atomic.Int32
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		}))
		t.Cleanup(proxy.Close)
		at, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		at.User = url.UserPassword("me", "s3cr3t")
		client := NewAPI(Config{UserAgent: "test", Proxy: http.ProxyURL(at)})
		client.retry.RetryWaitMin, client.retry.RetryWaitMax = 1, 1
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://github.invalid/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		var refused *ProxyError
		if !errors.As(err, &refused) || !errors.Is(err, ErrProxy) || refused.Status != status || resp != nil {
			t.Fatalf("status %d: %v, %v", status, resp, err)
		}
		if !strings.Contains(err.Error(), "the proxy "+at.Host+" refuses with status") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("status %d: it says %v", status, err)
		}
		if asked.Load() != tries {
			t.Errorf("status %d: the proxy was asked %d times, want %d", status, asked.Load(), tries)
		}
	}
}
