package plan

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

const (
	randomLength = 6
	ownLength    = 8 // digits of a machine's own identifier
)

var (
	placeholder = pattern.New(`\{[^{}]*\}`)
	notInName   = pattern.New(`[^A-Za-z0-9._-]+`)
)

// filler fills placeholders.
type filler struct {
	number  int // 0 without
	machine instance.Machine
	facts   func() (metadata.Facts, error)
	warn    func(string) // of a label that is left out
}

func (m *Maker) filler(ctx context.Context, r Request) filler {
	return filler{
		number: r.Index, machine: m.Machine.Here, facts: func() (metadata.Facts, error) { return m.cloudFacts(ctx, r.Metadata) },
	}
}

// Cloud remembers what the cloud has said of this machine, so that it is asked once for
// all the runners of a host. It is ready to use.
type Cloud struct {
	facts *metadata.Facts // nil: it was not asked yet
	none  error           // why there is none
}

// Known is what it has said so far; empty if it was not asked.
func (c *Cloud) Known() metadata.Facts {
	if c.facts == nil {
		return metadata.Facts{}
	}
	return *c.facts
}

func (m *Maker) cloudFacts(ctx context.Context, want Metadata) (metadata.Facts, error) {
	switch {
	case want.Policy == MetadataOff:
		return metadata.Facts{}, ErrUnasked
	case m.Cloud.facts != nil:
		return *m.Cloud.facts, m.Cloud.none
	}
	limited, cancel := context.WithTimeout(ctx, want.Wait)
	defer cancel()
	facts, err := metadata.Lookup(limited)
	if err != nil && (want.Policy == MetadataRequired || ctx.Err() != nil) {
		return metadata.Facts{}, err
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnfilled, err)
	}
	m.Cloud.facts, m.Cloud.none = &facts, err
	return facts, err
}

// CheckTemplates refuses what no machine could make a runner's name, or a label, of: [ErrTemplate] or [instance.ErrName].
func CheckTemplates(name string, labels []string) error {
	for i, template := range append([]string{name}, labels...) {
		for _, word := range placeholder.Regexp().FindAllString(template, -1) {
			if slices.Contains(placeholders(), word) {
				continue
			}
			if i > 0 {
				return unknownPlaceholder(ErrLabelTemplate, template, word)
			}
			return unknownPlaceholder(ErrTemplate, template, word)
		}
	}
	// A value may be as short as a letter.
	if err := instance.CheckName(placeholder.ReplaceAllString(name, "x")); err != nil {
		return fmt.Errorf("naming the runner: %w", err)
	}
	return nil
}

func placeholders() []string {
	return []string{"{hostname}", "{random}", "{n}", "{instance_id}", "{region}", "{zone}", "{instance_type}"}
}

func unknownPlaceholder(is error, template, word string) error {
	return fmt.Errorf("%w: %q has the unknown placeholder %s (known: %s)", is, template, word, strings.Join(placeholders(), ", "))
}

// name makes a runner's name of a template. A number, unless it is 0, stands where
// the template says so, else at its end; the first one alone needs no place. What
// is not known is refused with [ErrUnfilled]: left out, it would make one name of those of many machines.
func (f filler) name(template string) (string, error) {
	if f.number > 1 && !strings.Contains(template, "{n}") {
		template += "-{n}"
	}
	name, err := f.fill(template)
	if err != nil {
		return "", fmt.Errorf("naming the runner: %w", err)
	}
	if err := instance.CheckName(name); err != nil {
		return "", fmt.Errorf("naming the runner: %w", err)
	}
	return name, nil
}

// labels makes labels of templates, or nil if there is nothing to fill. One with
// something that is not known is left out as a whole, and that is told: without it the runner gets fewer jobs, and no wrong ones.
func (f filler) labels(identity instance.Identity) ([]string, error) {
	if !slices.ContainsFunc(identity.Labels, placeholder.MatchString) {
		return nil, nil
	}
	given := []string{}
	for _, template := range identity.Labels {
		label, err := f.fill(template)
		if errors.Is(err, ErrUnfilled) {
			f.warn(fmt.Sprintf("label %q is left out: %v", template, err))
			continue
		}
		if err != nil {
			return nil, err
		}
		given = append(given, label)
	}
	if len(given) == 0 && identity.NoDefaultLabels {
		return nil, fmt.Errorf("%w: no label is left of %q, and a runner without any gets no job",
			ErrLabelTemplate, strings.Join(identity.Labels, ","))
	}
	return given, nil
}

// cloudPlaceholders are those that only a cloud fills, and with which of its facts.
func cloudPlaceholders() map[string]func(metadata.Facts) string {
	return map[string]func(metadata.Facts) string{
		"{instance_id}":   func(f metadata.Facts) string { return f.InstanceID },
		"{region}":        func(f metadata.Facts) string { return f.Region },
		"{zone}":          func(f metadata.Facts) string { return f.Zone },
		"{instance_type}": func(f metadata.Facts) string { return f.InstanceType },
	}
}

// NeedsCloud tells whether a template has a placeholder that only a cloud fills.
func NeedsCloud(template string) bool {
	for word := range cloudPlaceholders() {
		if strings.Contains(template, word) {
			return true
		}
	}
	return false
}

// fill replaces the placeholders of a template. The error matches [ErrUnfilled] where the value of one is not known.
func (f filler) fill(template string) (text string, err error) {
	text = placeholder.Regexp().ReplaceAllStringFunc(template, func(word string) string {
		value, failed := f.value(template, word)
		if failed != nil && err == nil {
			err = failed
		}
		return value
	})
	return text, err
}

func (f filler) value(template, word string) (string, error) {
	switch word {
	case "{hostname}":
		host, err := os.Hostname()
		if err != nil {
			return "", fmt.Errorf("asking for the host's name: %w", err)
		}
		return f.hostName(host), nil
	case "{random}":
		return strings.ToLower(rand.Text()[:randomLength]), nil
	case "{n}":
		return strconv.Itoa(max(f.number, 1)), nil
	}
	fact, found := cloudPlaceholders()[word]
	if !found {
		return "", unknownPlaceholder(ErrTemplate, template, word)
	}
	facts, err := f.facts()
	value := fitting(fact(facts))
	switch {
	case err != nil:
		return "", fmt.Errorf("filling %s: %w", word, err)
	case value == "":
		return "", fmt.Errorf("filling %s: %w: cloud %q does not say it", word, ErrUnfilled, facts.Cloud)
	}
	return value, nil
}

// generic are host names that images come with, and so many machines have.
var generic = pattern.New(`^(localhost(-live)?|localdomain|none|host|hostname|linux|unix|server|vm|template|image|packer|base|` +
	`debian|ubuntu(-server)?|fedora|centos|rhel|redhat|rocky|almalinux|alma|oracle|ol|amazonlinux|amzn|al|opensuse|suse|sles|` +
	`arch|archlinux|archiso|alpine|` +
	`gentoo|nixos|kali|raspberrypi|flatcar|coreos|photon|photon-machine|mariner|azurelinux|freebsd|mac|macmini|` +
	`macbook-pro|windows|desktop|buildroot|cirros|live|livecd)[-_]?[0-9._-]*(lts)?$`)

// hostName is what {hostname} stands for: the first part of the host's name. One that images come with is made the machine's own
// by a part of what is derived from its identifier, which is the same each time; where nothing is known of the machine, by chance.
func (f filler) hostName(host string) string {
	short, _, _ := strings.Cut(host, ".")
	if net.ParseIP(host) != nil {
		short = "ip-" + strings.NewReplacer(".", "-", ":", "-").Replace(host) // of which the first part would be that of a network
	}
	short = fitting(short)
	if short != "" && !generic.MatchString(strings.ToLower(short)) {
		return short
	}
	own := cmp.Or(f.machine.Firmware, f.machine.ID)
	if own == "" {
		own = strings.ToLower(rand.Text())
	}
	sum := sha256.Sum256([]byte(own))
	return cmp.Or(short, "host") + "-" + hex.EncodeToString(sum[:])[:ownLength]
}

// fitting leaves of a value what a name can have.
func fitting(value string) string {
	return strings.Trim(notInName.ReplaceAllString(value, "-"), "-.")
}
