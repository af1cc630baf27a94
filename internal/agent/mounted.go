package agent

import "slices"

// tellMounted says what of the jobs before stays, once for as long as that does not change.
func (k *keeper) tellMounted(mounted []string) {
	if slices.Equal(k.mounted, mounted) {
		return
	}
	k.mounted = mounted
	k.log.Warn("what is mounted in the runner's directory is left as it is; the next job may see what an earlier one has left there",
		"runner", k.name, "mounted", mounted)
}
