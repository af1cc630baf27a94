package shell

import (
	"context"
	"os/exec"
	"syscall"
)

// command gives cmd its line as it is: cmd does not read words as other programs do, and would see the marks by which these
// would know a quote. /S has it take the first and the last quote away, and no others; /D has it run nothing before.
func command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /D /S /C "` + line + `"`}
	return cmd
}
