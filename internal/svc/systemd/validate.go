package systemd

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func validate(u svc.Unit) error {
	if err := svc.CheckName(u.Name); err != nil {
		return err
	}
	texts := []struct{ what, value string }{
		{"description", u.Description},
		{"documentation", u.Documentation},
		{"executable", u.Executable},
		{"directory", u.Directory},
	}
	for i, arg := range u.Args {
		texts = append(texts, struct{ what, value string }{fmt.Sprintf("argument %d", i+1), arg})
	}
	for _, text := range texts {
		if err := svc.CheckText(text.value); err != nil {
			return fmt.Errorf("%s %q: %w", text.what, text.value, err)
		}
	}
	if err := validateBare(u); err != nil {
		return err
	}
	if err := validateDocumentation(u.Documentation); err != nil {
		return err
	}
	if err := validateTimes(u); err != nil {
		return err
	}
	if err := validateSandbox(u); err != nil {
		return err
	}
	if err := validateFolders(u); err != nil {
		return err
	}
	for _, code := range u.NoRestartStatus {
		if code < 1 || code > 255 {
			return fmt.Errorf("exit code %d: not between 1 and 255", code)
		}
	}
	return nil
}

func validateFolders(u svc.Unit) error {
	for _, name := range u.Mounts {
		if err := svc.CheckText(name); err != nil {
			return fmt.Errorf("mount %q: %w", name, err)
		}
		if !path.IsAbs(name) || path.Clean(name) != name {
			return fmt.Errorf("mount %q: not a clean absolute path", name)
		}
	}
	for _, name := range u.Keeps {
		if err := svc.CheckName(name); err != nil {
			return fmt.Errorf("unit %q, which it keeps: %w", name, err)
		}
	}
	if u.RuntimeFolder == "" {
		return nil
	}
	if err := svc.CheckName(u.RuntimeFolder); err != nil {
		return fmt.Errorf("runtime folder %q: %w", u.RuntimeFolder, err)
	}
	return nil
}

func validateTimes(u svc.Unit) error {
	for _, t := range []struct {
		what  string
		value time.Duration
	}{
		{"stop timeout", u.StopTimeout}, {"start timeout", u.StartTimeout}, {"watchdog", u.Watchdog},
	} {
		if t.value < 0 || t.value > 7*24*time.Hour {
			return fmt.Errorf("%s %s: not between 0 and a week", t.what, t.value)
		}
	}
	switch {
	case u.Watchdog == 0:
	case u.Watchdog < time.Second:
		return fmt.Errorf("watchdog %s: under a second", u.Watchdog)
	case !u.Notify:
		return fmt.Errorf("watchdog %s: the program does not notify", u.Watchdog)
	}
	return nil
}

// validateBare checks the values that stand in the unit without quotes, where systemd strips blanks at the
// ends and takes a backslash there for a continued line.
func validateBare(u svc.Unit) error {
	for _, text := range []struct{ what, value string }{
		{"description", u.Description}, {"documentation", u.Documentation}, {"directory", u.Directory},
	} {
		if strings.TrimSpace(text.value) != text.value {
			return fmt.Errorf("%s %q: starts or ends with a blank", text.what, text.value)
		}
		if strings.HasSuffix(text.value, `\`) {
			return fmt.Errorf("%s %q: ends with a backslash", text.what, text.value)
		}
	}
	for _, file := range []struct{ what, value string }{
		{"executable", u.Executable}, {"directory", u.Directory},
	} {
		if !path.IsAbs(file.value) || path.Clean(file.value) != file.value {
			return fmt.Errorf("%s %q: not a clean absolute path", file.what, file.value)
		}
	}
	// systemd replaces variables in the name that the program is called by, but not in the path it starts.
	if strings.Contains(u.Executable, "$") {
		return fmt.Errorf("executable %q: holds a dollar sign", u.Executable)
	}
	return nil
}

func validateDocumentation(addresses string) error {
	for address := range strings.FieldsSeq(addresses) {
		known := false
		for _, prefix := range []string{"https://", "http://", "file:/", "info:", "man:"} {
			known = known || strings.HasPrefix(address, prefix)
		}
		if !known {
			return fmt.Errorf("documentation %q: not an address with https, http, file, info or man", address)
		}
	}
	return nil
}
