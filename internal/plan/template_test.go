package plan

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func TestFillName(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	short, _, _ := strings.Cut(host, ".")
	for name, c := range map[string]struct {
		template string
		want     string // a pattern
		err      error
	}{
		"plain":        {template: "web-1", want: `^web-1$`},
		"hostname":     {template: "{hostname}-x", want: `^[A-Za-z0-9._-]+-x$`},
		"random":       {template: "web-{random}", want: `^web-[a-z0-9]{6}$`},
		"both":         {template: "{random}.{hostname}", want: `^[a-z0-9]{6}\.[A-Za-z0-9._-]+$`},
		"of the cloud": {template: "web-{instance_id}.{instance_type}", want: `^web-i-0abc\.m7g-large$`},
		"unknown":      {template: "{moon}", err: ErrTemplate},
		"not known":    {template: "web-{zone}", err: ErrUnfilled},
		"one of two":   {template: "{instance_id}-{region}", err: ErrUnfilled},
		"known, then":  {template: "{instance_id}-{moon}", err: ErrTemplate},
		"hyphen kept":  {template: "web-", want: `^web-$`},
		"nothing":      {template: "{zone}-{region}", err: ErrUnfilled},
		"empty word":   {template: "a{}", err: ErrTemplate},
		"open brace":   {template: "a{b", err: instance.ErrName},
		"blank":        {template: "a b", err: instance.ErrName},
		"path":         {template: "../a", err: instance.ErrName},
		"too long":     {template: strings.Repeat("a", instance.MaxName+1), err: instance.ErrName},
		"empty":        {template: "", err: instance.ErrName},
		"hyphen":       {template: "-a", err: instance.ErrName},
		"hidden file":  {template: ".a", err: instance.ErrName},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloudy(metadata.Facts{InstanceID: "i-0abc", InstanceType: "m7g/large"}, nil).name(c.template)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if c.want != "" && !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("got %q, want %s (host %q)", got, c.want, short)
			}
		})
	}
	if a, _ := cloudy(metadata.Facts{}, nil).name("{random}"); a != "" {
		if b, _ := cloudy(metadata.Facts{}, nil).name("{random}"); a == b {
			t.Errorf("{random} gave %q twice", a)
		}
	}
}

// A name that images come with gets something of the machine's own, and keeps it.
func TestHostName(t *testing.T) {
	t.Parallel()
	one, two := filler{machine: instance.Machine{ID: "a"}}, filler{machine: instance.Machine{ID: "b"}}
	for host, want := range map[string]string{
		"web-1": `web-1`, "web-1.example.com": `web-1`, "ip-10-0-0-7.ec2.internal": `ip-10-0-0-7`, "ubuntu-builder": `ubuntu-builder`,
		"debianette": `debianette`, "WEB_1": `WEB_1`, "vmhost7": `vmhost7`,
		"10.0.0.7": `ip-10-0-0-7`, "fd00::7": `ip-fd00--7`,
		"localhost": `localhost-[0-9a-f]{8}`, "localhost.localdomain": `localhost-[0-9a-f]{8}`, "LOCALHOST": `LOCALHOST-[0-9a-f]{8}`,
		"localhost6.localdomain6": `localhost6-[0-9a-f]{8}`, "localhost-live": `localhost-live-[0-9a-f]{8}`,
		"ubuntu": `ubuntu-[0-9a-f]{8}`, "ubuntu-22.04": `ubuntu-22-[0-9a-f]{8}`, "debian12": `debian12-[0-9a-f]{8}`, "fedora": `fedora-[0-9a-f]{8}`,
		"(none)": `none-[0-9a-f]{8}`, "": `host-[0-9a-f]{8}`, ".": `host-[0-9a-f]{8}`, "日本": `host-[0-9a-f]{8}`, "raspberrypi": `raspberrypi-[0-9a-f]{8}`,
		"Macmini.local": `Macmini-[0-9a-f]{8}`,
	} {
		got := one.hostName(host)
		if !regexp.MustCompile(`^`+want+`$`).MatchString(got) || instance.CheckName(got) != nil {
			t.Errorf("%q: %q, want %s", host, got, want)
		}
		if got != one.hostName(host) {
			t.Errorf("%q: another name each time", host)
		}
		if own := strings.Contains(want, "["); own != (got != two.hostName(host)) {
			t.Errorf("%q: on two machines %q and %q", host, got, two.hostName(host))
		}
	}
	unknown := filler{}
	if one, other := unknown.hostName("localhost"), unknown.hostName("localhost"); one == other {
		t.Error("machines of which nothing is known have the same name")
	}
}

// cloudy is a filler on a machine of a cloud.
func cloudy(facts metadata.Facts, err error) filler {
	return filler{facts: func() (metadata.Facts, error) { return facts, err }, warn: func(string) {}}
}

func TestFillLabels(t *testing.T) {
	t.Parallel()
	facts := metadata.Facts{InstanceID: "i-0abc", Zone: "eu-1a", InstanceType: "m7g, large"}
	for name, c := range map[string]struct {
		labels []string
		only   bool // no default labels
		err    error
		want   []string
		is     error
	}{
		"none":              {},
		"plain":             {labels: []string{"gpu"}},
		"filled":            {labels: []string{"gpu", "zone-{zone}", "{n}:{instance_id}"}, want: []string{"gpu", "zone-eu-1a", "1:i-0abc"}},
		"fitting":           {labels: []string{"{instance_type}"}, want: []string{"m7g-large"}},
		"left out":          {labels: []string{"region-{region}", "gpu", "{zone}{region}"}, want: []string{"gpu"}},
		"all left out":      {labels: []string{"{region}"}, want: []string{}},
		"none left at all":  {labels: []string{"{region}"}, only: true, is: ErrLabelTemplate},
		"no answer":         {labels: []string{"{region}"}, err: metadata.ErrNoAnswer, is: metadata.ErrNoAnswer},
		"no answer needed":  {labels: []string{"{n}"}, err: metadata.ErrNoAnswer, want: []string{"1"}},
		"no cloud":          {labels: []string{"gpu", "{region}"}, err: ErrUnfilled, want: []string{"gpu"}},
		"unknown, no cloud": {labels: []string{"{moon}"}, err: metadata.ErrNoAnswer, is: ErrTemplate},
	} {
		got, err := cloudy(facts, c.err).labels(instance.Identity{Labels: c.labels, NoDefaultLabels: c.only})
		if !errors.Is(err, c.is) || !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %q and %v, want %q and %v", name, got, err, c.want, c.is)
		}
	}
}

// TestServiceName: the names are those that GitHub's own installer gives.
func TestServiceName(t *testing.T) {
	for url, want := range map[string]string{
		"https://github.com/octo-org":                 "actions.runner.octo-org.web-1",
		"https://github.com/octo-org/hello.world":     "actions.runner.octo-org-hello.world.web-1",
		"https://github.com/enterprises/octo":         "actions.runner.enterprises-octo.web-1",
		"https://ghes.example.com/octo-org/hello.git": "actions.runner.octo-org-hello.web-1",
	} {
		scope, err := github.ParseScope(url, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := serviceName(scope, "web-1"); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

// TestLongServiceName: whatever GitHub takes as owner, repository and runner has a service, whose units have names that are
// possible, and two that differ only at the end of a long name have two.
func TestLongServiceName(t *testing.T) {
	owner, repository, name := strings.Repeat("o", 39), strings.Repeat("r", 100), strings.Repeat("n", instance.MaxName)
	seen := map[string]bool{}
	for _, end := range []string{"", "x", "y"} {
		scope, err := github.ParseScope("https://github.com/"+owner+"/"+repository[len(end):]+end, "")
		if err != nil {
			t.Fatal(err)
		}
		got := serviceName(scope, name)
		record := instance.Record{Name: name, Service: got}
		for _, unit := range []string{got, record.LifeName(), record.RegisterName()} {
			if err := svc.CheckName(unit); err != nil {
				t.Errorf("%s: %v", unit, err)
			}
		}
		if seen[got] || !strings.HasPrefix(got, "actions.runner."+owner+"-rrr") || !strings.HasSuffix(got, "."+name) {
			t.Errorf("it is called %s", got)
		}
		seen[got] = true
	}
}
