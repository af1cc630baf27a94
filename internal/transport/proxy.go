package transport

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// ProxyVariableError is a variable, or an option, that says how the network is reached and cannot be understood. Nothing may be
// sent then: the direct way is not what was asked for.
type ProxyVariableError struct {
	Name   string
	Reason string // it shows nothing of the value, which may have a password in it
}

// Error is one line.
func (e *ProxyVariableError) Error() string { return e.Name + ": " + e.Reason }

// ProxyVariables reads the variables of proxies as curl does, and gives http_proxy, https_proxy and no_proxy in a form that
// everybody understands alike: our own clients, which are those of Go's standard library, config.sh and the runner. What is not
// set is not among them. A variable's lower case wins, all_proxy stands for those that are not set, a URL may lack its scheme,
// and a password may have a percent sign that is none of URLs'. The error is a [*ProxyVariableError].
func ProxyVariables(getenv func(string) string) (map[string]string, error) {
	read := func(name string) (value, from string) {
		for _, from := range []string{name, strings.ToUpper(name)} {
			if value := getenv(from); value != "" {
				return value, from
			}
		}
		return "", ""
	}
	variables := map[string]string{}
	for _, name := range []string{"http_proxy", "https_proxy"} {
		value, from := read(name)
		if value == "" {
			value, from = read("all_proxy")
		}
		if value == "" {
			continue
		}
		proxy, err := ProxyURL(from, value)
		if err != nil {
			return nil, err
		}
		variables[name] = proxy.String()
	}
	if value, from := read("no_proxy"); value != "" {
		exceptions, err := ProxyExceptions(from, value)
		if err != nil {
			return nil, err
		}
		variables["no_proxy"] = exceptions
	}
	return variables, nil
}

// ProxyURL reads the URL of a proxy as curl does: see [ProxyVariables]. name is for the error.
func ProxyURL(name, text string) (*url.URL, error) {
	refuse := func(format string, values ...any) (*url.URL, error) {
		return nil, &ProxyVariableError{Name: name, Reason: fmt.Sprintf(format, values...)}
	}
	text = strings.TrimSpace(text)
	if strings.Trim(text, `"'`) != text {
		return refuse("it has quotes around it, which are no part of a URL")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return refuse("it has a blank or a control character in it")
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "http", text
	}
	scheme = strings.ToLower(scheme)
	if !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, scheme) {
		return refuse("a proxy is reached by http, https, socks5 or socks5h, and not by %q", scheme)
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		if authority = rest[:i]; rest[i] != '/' || strings.Contains(rest[i:], "@") {
			return refuse("it has a %q, which is written %%%02X in a name or a password", rest[i:i+1], rest[i])
		}
	}
	u := &url.URL{Scheme: scheme, Host: authority}
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		u.Host = authority[i+1:]
		user, password, both := strings.Cut(authority[:i], ":")
		if u.User = url.User(unescaped(user)); both {
			u.User = url.UserPassword(unescaped(user), unescaped(password))
		}
	}
	bare := u.Host
	if zone := zoneOf.FindString(bare); zone != "" {
		bare = strings.Replace(bare, zone, "]", 1)
		u.Host = strings.Replace(u.Host, "%25", "%", 1)
	}
	if reason := badHost(bare); reason != "" {
		return refuse("%s; a proxy is http://HOST:PORT", reason)
	}
	if path := strings.ToLower(strings.TrimPrefix(rest, authority)); strings.HasSuffix(path, ".pac") || strings.HasSuffix(path, ".dat") {
		return refuse("it is the address of a file that says which proxy to use, and the proxy itself is wanted: http://HOST:PORT")
	}
	return u, nil
}

// zoneOf is the part of an address of IPv6 that names an interface of this host, with the bracket behind it.
var zoneOf = pattern.New(`%(?:25)?[A-Za-z0-9._~-]+\]`)

// unescaped replaces what is an escape, and leaves every other percent sign as it is.
func unescaped(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// badHost says what is wrong with a host and its port; empty for nothing.
func badHost(hostPort string) string {
	u, err := url.Parse("http://" + hostPort)
	if err != nil || u.Host != hostPort || u.User != nil {
		return "its host and port are not understood"
	}
	host := u.Hostname()
	switch {
	case host == "":
		return "it has no host"
	case strings.Contains(host, ":"):
		if _, err := netip.ParseAddr(host); err != nil {
			return "its host is no address of IPv6"
		}
	case strings.ContainsFunc(host, func(r rune) bool { return r < 0x80 && !isLetterOrDigit(r) && !strings.ContainsRune(".-_", r) }):
		return "its host has a character that none has"
	}
	if strings.HasSuffix(hostPort, ":") {
		return "its port is missing"
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return "its port is none"
	}
	return ""
}

func isLetterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// ProxyExceptions reads a list of hosts that are reached without a proxy: names, of which each stands for what is below it
// too, also with a dot or "*." before it, addresses, networks as 10.0.0.0/8, each of these with a port, or * for all. Commas or
// blanks lie between. name is for the error. The result has commas alone.
func ProxyExceptions(name, list string) (string, error) {
	var all []string
	for entry := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		if reason := badException(entry); reason != "" {
			return "", &ProxyVariableError{Name: name, Reason: fmt.Sprintf("%q %s", entry, reason)}
		}
		entry = strings.TrimSuffix(entry, ".")
		// An address in brackets is one of a URL, and nobody looks for it in a list.
		if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
			entry = addr.String()
		}
		all = append(all, entry)
		// Some take this for what is below a name alone, and curl for the name too.
		if below, dot := strings.CutPrefix(entry, "."); dot && below != "" {
			all = append(all, below)
		}
	}
	return strings.Join(all, ","), nil
}

// badException says why nobody would understand an entry; empty if somebody does.
func badException(entry string) string {
	switch {
	case entry == "*" || entry == ".":
		return ""
	case strings.Contains(entry, "://"):
		return "is a URL, and only its host is wanted"
	case strings.ContainsAny(entry, "@\"'"):
		return "is no host"
	case strings.Contains(entry, "/"):
		if _, err := netip.ParsePrefix(entry); err != nil {
			return "is no network such as 10.0.0.0/8"
		}
		return ""
	case strings.Contains(strings.TrimPrefix(entry, "*."), "*"):
		return "has a * that nobody obeys; write a name, or a network such as 10.0.0.0/8"
	}
	// An address may have a dot behind it as little as a zone: nobody would take what is left for one.
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil && !strings.HasSuffix(addr.Zone(), ".") {
		return ""
	}
	if partOfAddress.MatchString(entry) {
		return "is a part of an address; write a network such as 10.0.0.0/8"
	}
	if reason := badHost(strings.TrimLeft(entry, "*.")); reason != "" {
		return "is no host"
	}
	return ""
}

// partOfAddress would be taken for a name that no host has.
var partOfAddress = pattern.New(`^[.\d]*\d[.\d]*$`)
