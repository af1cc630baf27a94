package doctor

import (
	"context"
	"runtime"

	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor/nt"
)

// notHere are the checks that this system has nothing for: on Windows, .NET comes with all that it needs.
func notHere() []string {
	if runtime.GOOS == "windows" {
		return []string{"libc", "libraries", "runner", "systemd", "selinux", "packages"}
	}
	return []string{"system", "programs"}
}

// factsOf makes findings of what Windows has.
func factsOf(check string, facts func() []nt.Fact) func(context.Context) []Finding {
	states := map[nt.State]State{nt.OK: OK, nt.Warning: Warning, nt.Failed: Failed}
	return func(context.Context) (all []Finding) {
		for _, fact := range facts() {
			all = append(all, one(check, states[fact.State], fact.Object, fact.Found, fact.Fix)...)
		}
		return all
	}
}
