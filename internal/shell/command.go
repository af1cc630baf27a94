package shell

import (
	"context"
	"os/exec"
)

// Command is a process that runs a line as the host's shell reads it: sh, or cmd on Windows. The end of ctx kills it.
func Command(ctx context.Context, line string) *exec.Cmd { return command(ctx, line) }
