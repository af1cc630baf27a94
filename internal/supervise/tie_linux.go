package supervise

import (
	"os/exec"
	"syscall"
)

// tie lets the kernel end the listener when this process is killed: an orphan
// would keep its session, and its successor would be refused for minutes.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM }
