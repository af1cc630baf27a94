package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// pageWidth leaves room for what roff needs to be told: its judges want lines of 80.
const pageWidth = 70

// page is a manual page in the making, in the language of man(7).
type page struct{ strings.Builder }

// roff writes text so that neither a sign nor the first character of a line means
// anything to roff. Line breaks stay.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// quoted is text as one argument of a macro.
func quoted(text string) string { return `"` + strings.ReplaceAll(roff(text), `"`, `\(dq`) + `"` }

func (p *page) section(title string) { fmt.Fprintf(p, ".SH %s\n", quoted(title)) }
func (p *page) text(text string) {
	fmt.Fprintln(p, roff(strings.Join(terminal.Wrapped(text, pageWidth), "\n")))
}

// term is followed by what it means; its words are bold and plain in turn.
func (p *page) term(text string, words ...string) {
	fmt.Fprint(p, ".TP\n.BR")
	for _, word := range words {
		fmt.Fprint(p, " "+quoted(word))
	}
	fmt.Fprint(p, "\n")
	p.text(text)
}

// prose has paragraphs, and examples: paragraphs that are indented.
func (p *page) prose(text string) {
	for i, paragraph := range strings.Split(strings.TrimRight(text, "\n"), "\n\n") {
		if strings.HasPrefix(paragraph, " ") {
			p.example(paragraph)
			continue
		}
		if i > 0 {
			fmt.Fprint(p, ".PP\n")
		}
		p.text(paragraph)
	}
}

func (p *page) example(text string) { fmt.Fprintf(p, ".PP\n.nf\n%s\n.fi\n", roff(text)) }

// writePage writes runner-bootstrap(1). An empty date is left out.
func writePage(w io.Writer, root *cobra.Command, date string) error {
	p := &page{}
	fmt.Fprintf(p, ".TH RUNNER-BOOTSTRAP 1 %s %s \"User Commands\"\n", `"`+date+`"`, quoted("runner-bootstrap "+versionText()))
	fmt.Fprint(p, ".nh\n.ad l\n") // names of options are neither broken nor spread
	p.section("NAME")
	fmt.Fprint(p, "runner-bootstrap \\-\n") // as it is, for the index of all pages
	p.text(lowerFirst(root.Short))
	p.section("SYNOPSIS")
	fmt.Fprint(p, ".B runner-bootstrap\n.I command\n.RI [ options ]\n")
	p.section("DESCRIPTION")
	p.prose(root.Long)
	p.section("COMMANDS")
	p.commands(root)
	p.section("OPTIONS")
	p.text("Each option says which commands have it.")
	p.options()
	p.section("ENVIRONMENT")
	p.environment()
	p.section("FILES")
	p.files()
	p.section("EXIT STATUS")
	for _, c := range exitCodes() {
		p.term(c.means+". A script should: "+c.should+".", fmt.Sprint(c.code))
	}
	p.section("SEE ALSO")
	p.text("https://github.com/runner-bootstrap/runner-bootstrap")
	_, err := io.WriteString(w, p.String())
	return err
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// commands describes the commands that do something, not the families that hold them.
func (p *page) commands(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		switch {
		case !c.IsAvailableCommand():
		case c.HasSubCommands():
			p.commands(c)
		default:
			// What is left of its use line are its operands.
			_, operands, _ := strings.Cut(c.Use, " ")
			_, path, _ := strings.Cut(c.CommandPath(), " ")
			fmt.Fprintf(p, ".SS %s\n", quoted(strings.TrimSpace(path+" "+operands)))
			p.prose(firstOf(c.Long, c.Short+"."))
			for _, e := range examplesOf(commandKey(c)) {
				fmt.Fprint(p, ".PP\n") // else it goes on in the line before
				p.text(e.about + ":")
				p.example(terminal.BrokenCommand(e.command, pageWidth))
			}
		}
	}
}

func (p *page) options() {
	var under heading
	for _, o := range declaredOptions() {
		if o.under != under {
			under = o.under
			fmt.Fprintf(p, ".SS %s\n", quoted(string(under)))
		}
		words := []string{"--" + o.name}
		if o.short != "" {
			words[0] = "-" + o.short + ", --" + o.name
		}
		if o.value != "" {
			words = append(words, " "+o.value)
		}
		p.term(o.explained()+".", words...)
		fmt.Fprint(p, ".br\n")
		p.text("Commands: " + o.commandList() + ".")
	}
}

// commandList is for people which commands have the option.
func (o option) commandList() string {
	if o.commands == everyCommand {
		return "all"
	}
	words := strings.Fields(strings.Replace(o.commands, scopeCommands, "API", 1))
	for i, word := range words {
		words[i] = typedCommand(word)
		if word == "API" {
			words[i] = "those about GitHub (runners, labels, groups, downloads, token, jitconfig)"
		}
	}
	return strings.Join(words, ", ")
}

func (p *page) environment() {
	p.text("Every option is also a variable, with its name in capitals. An option of the call beats a variable, a variable " +
		"beats the configuration file.")
	for _, o := range declaredOptions() {
		p.term("As --"+o.name+".", o.variable())
	}
	for _, v := range tokenVariables() {
		of := map[server]string{
			mixedServers: "",
			cloudServer:  " It is for github.com and ghe.com alone.",
			ownServer:    " It is for a GitHub Enterprise Server alone.",
		}[v.of]
		if v.vague {
			of += " It is taken if it has the form of GitHub's."
		}
		p.term("The access token. The first of these that is set is taken."+of, v.name)
	}
	for _, source := range issuedSources(&issuedOptions{}) {
		for _, name := range source.variables {
			p.term("For "+source.what+", which was made elsewhere.", name)
		}
	}
	p.term("How the network is reached, in capitals as well. The runner and its jobs get them, too.",
		"http_proxy", ", ", "https_proxy", ", ", "no_proxy")
	p.term("Certificate authorities to trust: a file, as --ca-file, or a folder of them.", "SSL_CERT_FILE", ", ", "SSL_CERT_DIR")
	p.term("Where systemd puts the credentials token, app-key, registration-token, jitconfig and remove-token of a unit.",
		"CREDENTIALS_DIRECTORY")
}

func (p *page) files() {
	paths := instance.DefaultPaths("")
	p.term("The configuration file.", paths.Config)
	p.term("The record of what was installed, readable by root alone.", paths.State)
	p.term("The runners.", paths.Runners)
	p.term("Verified and unpacked runners. It may be removed at any time.", paths.Cache)
	if runtime.GOOS == "linux" {
		p.term("The services of the runners.", svc.Path("actions.runner.*"))
	}
}
