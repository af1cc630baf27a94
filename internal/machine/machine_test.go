package machine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
)

// A machine is another one when the nearest witness that both know says so.
func TestCheck(t *testing.T) {
	t.Parallel()
	const aws = "aws"
	answers := func(cloud metadata.Cloud, id string) func(context.Context) (metadata.Facts, error) {
		return func(context.Context) (metadata.Facts, error) {
			return metadata.Facts{Cloud: cloud, InstanceID: id}, nil
		}
	}
	silent := func(context.Context) (metadata.Facts, error) { return metadata.Facts{}, metadata.ErrNoAnswer }
	none := func(context.Context) (metadata.Facts, error) { return metadata.Facts{}, metadata.ErrNoCloud }
	for name, c := range map[string]struct {
		then, here instance.Machine
		ask        func(context.Context) (metadata.Facts, error)
		differs    string // empty: the same machine
	}{
		"as it was":                        {then: instance.Machine{ID: "a", Firmware: "f"}, here: instance.Machine{ID: "a", Firmware: "f"}},
		"a copy of its disk, unsealed":     {then: instance.Machine{ID: "a", Firmware: "f"}, here: instance.Machine{ID: "a", Firmware: "g"}, differs: "its firmware has another UUID"},
		"a copy with a machine-id of own":  {then: instance.Machine{ID: "a", Firmware: "f"}, here: instance.Machine{ID: "b", Firmware: "g"}, differs: "its firmware has another UUID"},
		"the same without a firmware":      {then: instance.Machine{ID: "a"}, here: instance.Machine{ID: "b"}, differs: "it has another machine-id"},
		"another machine-id later":         {then: instance.Machine{ID: "a", Firmware: "f"}, here: instance.Machine{ID: "b", Firmware: "f"}},
		"another machine-id in AWS":        {then: instance.Machine{ID: "a", Cloud: aws, Instance: "i-1"}, here: instance.Machine{ID: "b"}, ask: answers(metadata.AWS, "i-1")},
		"a copy in AWS":                    {then: instance.Machine{ID: "a", Cloud: aws, Instance: "i-1"}, here: instance.Machine{ID: "a"}, ask: answers(metadata.AWS, "i-2"), differs: "that was instance i-1, and this is i-2"},
		"other hardware, same instance":    {then: instance.Machine{ID: "a", Firmware: "f", Cloud: aws, Instance: "i-1"}, here: instance.Machine{ID: "a", Firmware: "g"}, ask: answers(metadata.AWS, "i-1")},
		"in another cloud":                 {then: instance.Machine{ID: "a", Cloud: aws, Instance: "1"}, here: instance.Machine{ID: "b"}, ask: answers(metadata.Azure, "1"), differs: "it has another machine-id"},
		"its cloud is silent":              {then: instance.Machine{ID: "a", Cloud: aws, Instance: "i-1"}, here: instance.Machine{ID: "a"}, ask: silent},
		"its cloud is silent, and a doubt": {then: instance.Machine{ID: "a", Cloud: aws, Instance: "i-1"}, here: instance.Machine{ID: "b"}, ask: silent, differs: "it has another machine-id"},
		"no cloud any more":                {then: instance.Machine{ID: "a", Cloud: aws, Instance: "i-1"}, here: instance.Machine{ID: "a"}, ask: none},
		"metadata turned off":              {then: instance.Machine{ID: "a", Cloud: aws, Instance: "i-1"}, here: instance.Machine{ID: "a"}},
		"a record from before":             {here: instance.Machine{ID: "a", Firmware: "f"}, ask: answers(metadata.AWS, "i-1")},
		"a container without a machine-id": {then: instance.Machine{ID: "a"}},
		"root then, an account now":        {then: instance.Machine{ID: "a", Firmware: "f"}, here: instance.Machine{ID: "a"}},
		"nothing in common":                {then: instance.Machine{ID: "a"}, here: instance.Machine{Firmware: "f"}},
	} {
		record := instance.Record{Name: "web-1", ScopeURL: "https://github.com/o", Written: instance.Written{Machine: c.then}}
		err := Witness{Here: c.here, Ask: c.ask}.Check(t.Context(), record)
		if (err != nil) != (c.differs != "") || err != nil && (!errors.Is(err, ErrCopied) || !strings.HasSuffix(err.Error(), ErrCopied.Error()+": "+c.differs)) {
			t.Errorf("%s: %v, want %q", name, err, c.differs)
		}
	}
}

// A start waits for a cloud for a bounded time, and not at all where the firmware has answered.
func TestCheckIsBounded(t *testing.T) {
	t.Parallel()
	asked := 0
	var patience time.Duration
	w := Witness{Here: instance.Machine{ID: "a", Firmware: "f"}, Ask: func(ctx context.Context) (metadata.Facts, error) {
		asked++
		end, _ := ctx.Deadline()
		patience = time.Until(end)
		return metadata.Facts{}, metadata.ErrNoAnswer
	}}
	check := func(then instance.Machine) {
		then.Cloud, then.Instance = "aws", "i-1"
		_ = w.Check(t.Context(), instance.Record{Name: "web-1", Written: instance.Written{Machine: then}}) // what it says is told by TestCheck
	}
	if check(instance.Machine{ID: "b", Firmware: "f"}); asked != 0 {
		t.Error("a cloud was asked where the firmware had answered")
	}
	if check(instance.Machine{ID: "a"}); asked != 1 || patience > shortWait {
		t.Errorf("asked %d times, for %v", asked, patience)
	}
	if check(instance.Machine{ID: "b"}); asked != 2 || patience > longWait || patience <= shortWait {
		t.Errorf("asked %d times, for %v", asked, patience)
	}
}

// What is learned of the same machine is added, and nothing is lost.
func TestLearn(t *testing.T) {
	t.Parallel()
	then := instance.Machine{ID: "a", Firmware: "f", Cloud: "aws", Instance: "i-1"}
	if got := (Witness{}).Learn(then, metadata.Facts{}); got != then {
		t.Errorf("%+v", got)
	}
	got := Witness{Here: instance.Machine{ID: "b"}}.Learn(then, metadata.Facts{Cloud: metadata.AWS, InstanceID: "i-2"})
	if want := (instance.Machine{ID: "b", Firmware: "f", Cloud: "aws", Instance: "i-2"}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	ask := once(func(context.Context) (metadata.Facts, error) {
		if asked++; asked == 1 {
			return metadata.Facts{}, metadata.ErrNoAnswer
		}
		return metadata.Facts{InstanceID: "i-1"}, nil
	})
	_, first := ask(t.Context())
	for range 2 {
		if facts, err := ask(t.Context()); facts.InstanceID != "i-1" || err != nil {
			t.Errorf("%+v, %v", facts, err)
		}
	}
	if asked != 2 || !errors.Is(first, metadata.ErrNoAnswer) {
		t.Errorf("asked %d times, first %v", asked, first)
	}
}

func TestDerived(t *testing.T) {
	t.Parallel()
	// systemd-id128 machine-id --app-specific=5d1c0f6ae4a64b07a4f52cd2d7f8a3b1, on a machine of this id.
	if got := derived("3d1219c7c4c5404aaa1f6d2a48adfda4"); got != "8ed90e59341b401597ddef4dadf5b1e9" {
		t.Errorf("%s", got)
	}
	for _, text := range []string{"", "uninitialized", "3d12", strings.Repeat("0", 32), strings.Repeat("x", 32), "3d1219c7c4c5404aaa1f6d2a48adfda4\n1"} {
		if got := derived(text); got != "" {
			t.Errorf("%q gives %s", text, got)
		}
	}
}

func TestDerivedUUID(t *testing.T) {
	t.Parallel()
	one := derivedUUID("EC2A1B2C-3D4E-5F60-7182-93A4B5C6D7E8\n")
	if one == "" || one != derivedUUID("2c1b2aec-4e3d-605f-7182-93a4b5c6d7e8") {
		t.Error("the order of its bytes makes another machine of it")
	}
	if one == derivedUUID("ec2a1b2c-3d4e-5f60-7182-93a4b5c6d7e9") {
		t.Error("two machines are one")
	}
	for _, text := range []string{
		"", "Not Settable", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009",
	} {
		if got := derivedUUID(text); got != "" {
			t.Errorf("%q gives %s", text, got)
		}
	}
}
