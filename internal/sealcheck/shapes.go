package sealcheck

import (
	"bytes"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// shape is a secret that can be told by itself, wherever it stands.
type shape struct {
	what string
	// anchors are texts of which each such secret has one. Only where one is found the rest is looked at.
	anchors []string
	// rest is what stands from the anchor on.
	rest *pattern.Pattern
	// own means that a letter, a digit or _ in front of the anchor makes it something else.
	own bool
	// everywhere means that it is looked for in what packages bring as well, where the others are examples.
	everywhere bool
	// real tells examples from what was found, by the groups of rest; nil for what is never an example.
	real func(groups [][]byte) bool
}

// reach is how far behind an anchor a secret goes that is looked for, and more than that.
const reach = 4 << 10

// gitHub is a token in GitHub's own shape ("Behind GitHub's new authentication token formats"): 36 letters and digits, or a JWT with
// its claims. Less would be words beside one another, as they stand in a program like this one.
const gitHub = `gh[pousr]_(?:[A-Za-z0-9]{36}|[A-Za-z0-9]*_?eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8})[A-Za-z0-9_.-]*|` +
	`github_pat_[A-Za-z0-9_]{20,}`

var (
	tokenShape = pattern.New(`\b(?:` + gitHub + `)`)
	tokenRest  = pattern.New(`^(?:` + gitHub + `)`)
	keyRest    = pattern.New(`^PRIVATE KEY(?: BLOCK)?-----((?:\\+[rn]|\s)+` +
		`(?:[A-Za-z-]+: ?[^\n\\]*(?:\\+[rn]|\s)+)*[A-Za-z0-9+/=]{16,}(?:\\+[rn]|\s|[A-Za-z0-9+/=])*)`)
	puttyRest  = pattern.New(`^PuTTY-User-Key-File-[0-9]: \S`)
	ageRest    = pattern.New(`^AGE-SECRET-KEY-1[0-9A-Z]{20,}`)
	wireRest   = pattern.New(`^Pr(?:ivate|eshared|eShared)Key["']?\s*[=:]\s*["']?([A-Za-z0-9+/]{43}=)`)
	vpnRest    = pattern.New(`^BEGIN OpenVPN [A-Za-z0-9 -]*key[A-Za-z0-9 -]*-----\s+[0-9A-Za-z+/]{16,}`)
	argoRest   = pattern.New(`^BEGIN ARGO TUNNEL TOKEN-----\s+[0-9A-Za-z+/]{16,}`)
	jwkRest    = pattern.New(`^(?:"d"\s*:\s*"[A-Za-z0-9_-]{32,}"[^{}]*"kty"|"kty"[^{}]*"d"\s*:\s*"[A-Za-z0-9_-]{32,}")`)
	jitRest    = pattern.New(`^eyIu(?:cnVubmVy|Y3JlZGVudGlhbHN)[A-Za-z0-9+/]{40}`)
	idAWSRest  = pattern.New(`^A[KS]IA([A-Z2-7]{16})\b`)
	keyAWSRest = pattern.New(`^(?:ecret_access_key|ECRET_ACCESS_KEY|ecretAccessKey)` +
		`["']?\s*[=:]\s*["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)`)
	jwtRest    = pattern.New(`^eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{20,}`)
	registRest = pattern.New(`^(?:oken|OKEN)["']?(?:\s*[=:]\s*|\s+)(?:a[0-9]+=)?["']?(A[A-Z0-9]{28})\b`)
	userInfo   = pattern.New(`^://([^\s/:@"'<>\\]{1,128}):([^\s/@"'<>\\]{3,256})@([A-Za-z0-9.\[-][A-Za-z0-9.:-]*)`)
	headerRest = pattern.New(`^(?i:uthorization)["']?\s*[:=]\s*["']?(?i:basic|bearer|token)\s+([A-Za-z0-9+/=._~-]{16,})`)
	npmRest    = pattern.New(`^(?::_authToken|:_password|_auth)\s*=\s*["']?([A-Za-z0-9+/=_.-]{12,})`)
	knownRest  = pattern.New(`^(?:glpat-[A-Za-z0-9_-]{20}|npm_[A-Za-z0-9]{36}\b|` +
		`xox[abprs]-[0-9A-Za-z-]{20,}|AIza[A-Za-z0-9_-]{35}\b|ya29\.[A-Za-z0-9_-]{30,}|` +
		`hvs\.[A-Za-z0-9_-]{24,}|pypi-AgEI[A-Za-z0-9_-]{40,}|dop_v1_[a-f0-9]{64}|hf_[A-Za-z0-9]{34}\b|sk_live_[A-Za-z0-9]{20,}|` +
		`gl(?:rt|dt|ptt|soat|cbt|ft|imt|agent)-[A-Za-z0-9_.-]{20,}|` +
		`dckr_[po]at_[A-Za-z0-9_-]{20,}|sk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{32,}|` +
		`SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|dp\.(?:st|pt|ct|sa|scim)\.[A-Za-z0-9._-]{30,}|tskey-[a-z]+-[A-Za-z0-9-]{20,}|` +
		`pul-[0-9a-f]{40}\b|sntry[su]_[A-Za-z0-9+/=_-]{40,}|dapi[0-9a-f]{32}\b|atlasv1\.[A-Za-z0-9_-]{60,}|shp[ca]t_[0-9a-f]{32}|` +
		`NRAK-[A-Z0-9]{27}\b|rubygems_[0-9a-f]{48}\b|GOCSPX-[A-Za-z0-9_-]{24,}|1//0[A-Za-z0-9_-]{30,}|glc_eyJ[A-Za-z0-9+/=_-]{30,}|` +
		`glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|ATATT3xFfGF0[A-Za-z0-9_=-]{40,}|xapp-[0-9]-[A-Za-z0-9-]{20,}|whsec_[A-Za-z0-9+/=]{24,}|` +
		`rk_live_[A-Za-z0-9]{20,}|bkua_[0-9a-f]{40}|CCIPAT_[A-Za-z0-9_]{30,}|nfp_[A-Za-z0-9]{30,}|fm[12]_[A-Za-z0-9+/=]{40,})`)
	sharedRest = pattern.New(`^sig=([A-Za-z0-9+/]{43}=|[A-Za-z0-9+/%]{43,}%3[Dd])`)
	azureRest  = pattern.New(`^(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}={0,2})`)
)

// shapes are all of them. A registration token is worthless after an hour, and yet nothing that an image needs.
func shapes() []shape {
	return []shape{
		{"an access token of GitHub", []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, tokenRest, true, true, varied(0)},
		{"a private key", []string{"PRIVATE KEY"}, keyRest, false, true, varied(1)},
		{"a private key of PuTTY", []string{"PuTTY-User-Key-File-"}, puttyRest, false, false, nil},
		{"a private key of age", []string{"AGE-SECRET-KEY-1"}, ageRest, true, false, varied(0)},
		{"a key of WireGuard", []string{"PrivateKey", "PresharedKey", "PreSharedKey"}, wireRest, true, false, varied(1)},
		{"a key of OpenVPN", []string{"BEGIN OpenVPN "}, vpnRest, true, false, nil},
		{"the token of a tunnel", []string{"BEGIN ARGO TUNNEL TOKEN"}, argoRest, true, false, nil},
		{"a private key (JWK)", []string{`"kty"`, `"d"`}, jwkRest, false, false, nil},
		{"a just-in-time configuration", []string{"eyIucnVubmVy", "eyIuY3JlZGVudGlhbHN"}, jitRest, true, true, nil},
		{"an access key of AWS", []string{"AKIA", "ASIA"}, idAWSRest, true, true, noExample(1)},
		{
			"a secret access key of AWS",
			[]string{"ecret_access_key", "ECRET_ACCESS_KEY", "ecretAccessKey"},
			keyAWSRest, false, false,
			noExample(1),
		},
		{"a signed token (JWT)", []string{"eyJ"}, jwtRest, true, false, nil},
		{"a registration token", []string{"oken", "OKEN"}, registRest, false, false, varied(1)},
		{"a password in a URL", []string{"://"}, userInfo, false, false, realUserInfo},
		{"a header with a credential", []string{"uthorization", "UTHORIZATION"}, headerRest, false, false, varied(1)},
		{"a credential of npm", []string{":_authToken", ":_password", "_auth"}, npmRest, false, false, varied(1)},
		{
			"an access token",
			[]string{
				"glpat-", "npm_", "xox", "AIza", "ya29.", "hvs.", "pypi-AgEI", "dop_v1_", "hf_", "sk_live_",
				"glrt-", "gldt-", "glptt-",
				"glsoat-", "glcbt-", "glft-", "glimt-", "glagent-", "dckr_pat_", "dckr_oat_", "sk-ant-", "sk-proj-", "sk-svcacct-", "SG.",
				"dp.st.", "dp.pt.", "dp.ct.", "dp.sa.", "tskey-", "pul-", "sntrys_", "sntryu_", "dapi", "atlasv1.", "shpat_", "shpca_",
				"NRAK-", "rubygems_", "GOCSPX-", "1//0", "glc_eyJ", "glsa_", "ATATT3xFfGF0", "xapp-", "whsec_", "rk_live_",
				"bkua_", "CCIPAT_",
				"nfp_", "fm1_", "fm2_",
			},
			knownRest, true, false, varied(0),
		},
		{"a shared access signature of Azure", []string{"sig="}, sharedRest, true, false, varied(1)},
		{"a key of Azure", []string{"AccountKey=", "SharedAccessKey="}, azureRest, false, false, varied(1)},
	}
}

// varied takes a text of one character or two, as xxxxxxxx, for an example.
func varied(group int) func([][]byte) bool {
	return func(groups [][]byte) bool {
		text := groups[group]
		if at := bytes.LastIndexByte(text[:min(len(text), 12)], '_'); at >= 0 { // of a prefix
			text = text[at+1:]
		}
		seen := map[byte]bool{}
		for _, c := range text {
			seen[c] = true
		}
		return len(seen) > 4
	}
}

// noExample knows those of AWS's documentation.
func noExample(group int) func([][]byte) bool {
	return func(groups [][]byte) bool {
		return !bytes.Contains(groups[group], []byte("EXAMPLE")) && varied(group)(groups)
	}
}

// realUserInfo knows what documentation has for a name and a password.
func realUserInfo(groups [][]byte) bool {
	name, password, host := bytes.ToLower(groups[1]), bytes.ToLower(groups[2]), bytes.ToLower(groups[3])
	if bytes.ContainsAny(password, "$%{}[]*") && !escaped.Match(password) || bytes.ContainsAny(name, "${}[]*") {
		return false // a variable, or struck out
	}
	examples := []string{"pass", "password", "passwd", "pw", "pwd", "secret", "token", "xxx", "xxxx", "xxxxx", "redacted", "***", "hunter2"}
	if slices.Contains(examples, string(password)) || !varied(2)(groups) && len(password) > 4 {
		return false
	}
	return !exampleHost.Match(host)
}

var exampleHost = pattern.New(`(^|\.)example(\.com|\.org|\.net)?(:|$)`)

var escaped = pattern.New(`^(?:[^$%{}\[\]*]|%[0-9a-f]{2})+$`)

// match is a secret in a text.
type match struct {
	at   int // in the text, -1 for what was encoded there
	what string
}

// matches returns the first of each shape. A text that is part of a package is looked at for what is no example there.
func matches(all []shape, text []byte, packaged bool) []match {
	var found []match
	for i := range all {
		s := &all[i]
		if packaged && !s.everywhere {
			continue
		}
		if at := s.first(text); at >= 0 {
			found = append(found, match{at, s.what})
		}
	}
	return found
}

// first is where the first secret of this shape is, or -1.
func (s *shape) first(text []byte) int {
	best := -1
	for _, anchor := range s.anchors {
		word := []byte(anchor)
		end := len(text)
		if best >= 0 {
			end = min(end, best+len(word)) // an earlier one is wanted
		}
		for from := 0; from < end; {
			at := bytes.Index(text[from:end], word)
			if at < 0 {
				break
			}
			at += from
			from = at + len(word)
			if s.own && at > 0 && wordByte(text[at-1]) && !afterEscape(text[:at]) {
				continue
			}
			groups := s.rest.FindSubmatch(text[at:min(len(text), at+reach)])
			if groups != nil && (s.real == nil || s.real(groups)) {
				best = at
				break
			}
		}
	}
	return best
}

// afterEscape tells whether a text ends with what stands for another character, or for a colour, so that a word begins after it.
func afterEscape(text []byte) bool { return escapeEnd.Match(text[max(0, len(text)-16):]) }

var escapeEnd = pattern.New(`(?:\\[abefnrtv]|\\u00[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}|[%=][0-9A-F]{2}|` +
	`(?:\x1b|\\e|\\0?33|\\x1[Bb]|\\u001[Bb])\[[0-9;]*m)$`)

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// redacted is a path without a secret in it.
func redacted(path string) string { return tokenShape.ReplaceAllString(path, "(redacted)") }
