package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// enforcing is where the kernel tells whether SELinux has the last word.
const enforcing = "/sys/fs/selinux/enforce"

func (h Host) selinux(context.Context) []Finding {
	const check = "selinux"
	text, err := os.ReadFile(enforcing)
	switch {
	case err != nil:
		return skipped(check, "it is not on this host")
	case strings.TrimSpace(string(text)) != "1":
		return one(check, OK, enforcing, "permissive", "")
	case !h.Service:
		return skipped(check, "--no-service: it is no hindrance to what a person starts")
	}
	all := h.labelled(check, h.Executable, Failed)
	for _, tree := range h.trees() {
		// The program is started first, and the runner by it: what is wrong for systemd need not be wrong for that.
		listener := filepath.Join(tree, "bin", "Runner.Listener")
		if strings.HasPrefix(tree, h.Paths.Runners) {
			all = append(all, h.labelled(check, listener, Warning)...)
		}
	}
	if len(all) > 0 {
		return all
	}
	return one(check, OK, h.Executable, "enforcing; systemd may start "+label(h.Executable), "")
}

// labelled tells what is wrong with the label of a program; nothing if systemd may start it.
func (h Host) labelled(check, path string, worst State) []Finding {
	kind := label(path)
	fix := "sudo restorecon -Rv " + shell.Quote(path)
	if path == h.Executable && !inProgramFolder(path) {
		fix = installProgram(path)
	}
	switch executableLabel(kind) {
	case OK:
		return nil
	case Failed:
		return one(check, worst, path, "its label "+kind+" keeps systemd from starting it", fix)
	default:
		found := fmt.Sprintf("its label %q is not one of programs: systemd may be kept from starting it", kind)
		return one(check, Warning, path, found, fix)
	}
}

// inProgramFolder tells whether a path is one that restorecon would label as a program.
func inProgramFolder(path string) bool {
	return slices.Contains([]string{"/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"}, filepath.Dir(path))
}

// executableLabel is OK for what init may execute in the policies of Fedora and its relatives, Failed for what it may
// not, and Warning for what we do not know.
func executableLabel(kind string) State {
	switch {
	case kind == "bin_t", kind == "lib_t", kind == "init_t", strings.HasSuffix(kind, "_exec_t"), strings.HasSuffix(kind, "_script_t"):
		return OK
	case strings.HasPrefix(kind, "user_"), strings.HasPrefix(kind, "var_"), strings.HasPrefix(kind, "admin_home"),
		slices.Contains([]string{
			"tmp_t", "usr_t", "home_root_t", "default_t", "unlabeled_t", "nfs_t", "cifs_t", "mnt_t", "data_home_t", "cache_home_t", "etc_t",
		}, kind):
		return Failed
	default:
		return Warning
	}
}

// label is the type in the label of a file; empty without one.
func label(path string) string {
	parts := strings.Split(securityContext(path), ":")
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}
