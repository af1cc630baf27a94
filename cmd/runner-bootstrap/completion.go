package main

import (
	"io"

	"github.com/spf13/cobra"
)

// newCompletion prints what has a shell complete commands, options and their values. Cobra has such a command, in other words.
func newCompletion(call *session) *cobra.Command {
	shell := func(name, called, long string, write func(root *cobra.Command, described bool) error) *cobra.Command {
		c := &cobra.Command{
			Use: name, Short: "For " + called,
			Long: "Print a script that has " + called + " complete commands, options, their values and the names of runners.\n\n" + long +
				"\n\nWith --no-descriptions it shows no more than the words.",
			Args: func(c *cobra.Command, arguments []string) error {
				if len(arguments) > 0 {
					return stray(call, c, arguments[0])
				}
				return nil
			},
			ValidArgsFunction: cobra.NoFileCompletions,
		}
		bare := c.Flags().Bool("no-descriptions", false, "no more than the words")
		c.RunE = func(c *cobra.Command, _ []string) error { return write(c.Root(), !*bare) }
		return c
	}
	return family("completion", "Print a script that has a shell complete commands, options and values",
		shell("bash", "bash", `For this shell alone:

  source <(runner-bootstrap completion bash)

For all that begin later, where bash-completion is installed:

  runner-bootstrap completion bash \
    >~/.local/share/bash-completion/completions/runner-bootstrap`,
			func(root *cobra.Command, described bool) error { return writeBash(call.out, root, described) }),
		shell("fish", "fish", `For this shell alone:

  runner-bootstrap completion fish | source

For all that begin later:

  runner-bootstrap completion fish >~/.config/fish/completions/runner-bootstrap.fish`,
			func(root *cobra.Command, described bool) error { return root.GenFishCompletion(call.out, described) }),
		shell("powershell", "PowerShell", `For this shell alone; in the file $PROFILE for all that begin later:

  runner-bootstrap completion powershell | Out-String | Invoke-Expression`,
			func(root *cobra.Command, described bool) error {
				if described {
					return root.GenPowerShellCompletionWithDesc(call.out)
				}
				return root.GenPowerShellCompletion(call.out)
			}),
		shell("zsh", "zsh", `For this shell alone, after "autoload -U compinit; compinit":

  source <(runner-bootstrap completion zsh)

For all that begin later:

  runner-bootstrap completion zsh >"${fpath[1]}/_runner-bootstrap"`,
			func(root *cobra.Command, described bool) error {
				if described {
					return root.GenZshCompletion(call.out)
				}
				return root.GenZshCompletionNoDesc(call.out)
			}),
	)
}

// writeBash writes what bash completes by. Cobra's needs functions of bash-completion, which many servers lack: every tab would
// then be answered by an error.
func writeBash(w io.Writer, root *cobra.Command, described bool) error {
	if err := root.GenBashCompletionV2(w, described); err != nil {
		return err
	}
	_, err := io.WriteString(w, withoutBashCompletion)
	return err
}

// withoutBashCompletion finds the words of a line, which bash splits at = and : as well.
const withoutBashCompletion = `
__runner-bootstrap_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local line=$COMP_LINE piece last="" i n=0
    words=() cword=0
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        piece=${COMP_WORDS[i]}
        if [[ n -gt 0 && -n $piece && $line == "$piece"* && $last$piece == *[=:]* ]]; then
            words[n-1]+=$piece
        else
            line=${line#"${line%%[![:space:]]*}"}
            words[n]=$piece
            n=$((n + 1))
        fi
        line=${line#"$piece"} last=$piece
        [[ i -eq COMP_CWORD ]] && cword=$((n - 1))
    done
    cur=${words[cword]} prev=""
    [[ cword -gt 0 ]] && prev=${words[cword-1]}
    return 0
}
`
