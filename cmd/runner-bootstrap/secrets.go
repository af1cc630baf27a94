package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

const (
	// maxSecret is far beyond the longest token, and any key, of GitHub's.
	maxSecret = 64 << 10
	// secretCommandTime bounds a --token-command or --app-key-command: a vault that is
	// asked, or a person, has answered by then.
	secretCommandTime = time.Minute
)

// secretReader reads secrets from where options, systemd and the environment have
// them. No secret is ever a value of an option.
type secretReader struct {
	in  io.Reader
	err io.Writer // for what a command of the user's has to say
	log *slog.Logger
	of  server // whom they are for

	kept *[]byte // what standard input has brought: it can be read only once
	at   *terminal.Prompt
	// command is the one that runs, and issued where what is recognized as issued elsewhere goes.
	command string
	issued  *issuedTokens
}

// errSecretCommand means that a program of the user's did not print a secret. A vault, or the role by which a machine
// may ask it, is often there only some time after the machine.
var errSecretCommand = errors.New("no secret was printed")

func (call *session) secrets() secretReader {
	return secretReader{
		in: call.in, err: call.err, log: call.console.log, of: call.speaksTo(), kept: &call.input, at: askable(call),
		command: commandKey(call.running), issued: &call.issued,
	}
}

// popVariables gives the first of the variables that is set, and unsets them all.
func popVariables(names []string) (secret.Secret, error) {
	var found secret.Secret
	for _, name := range names {
		if found.Empty() {
			found = secret.New(os.Getenv(name))
		}
		if err := os.Unsetenv(name); err != nil {
			return secret.Secret{}, fmt.Errorf("taking %s out of the environment: %w", name, err)
		}
	}
	return found, nil
}

// run asks a program of the user's for a secret.
func (r secretReader) run(ctx context.Context, option, line string) (string, error) {
	allowed := ctx
	ctx, cancel := context.WithTimeout(ctx, secretCommandTime)
	defer cancel()
	command := shell.Command(ctx, line)
	said := &bounded{most: maxSecret}
	command.Stdin, command.Stdout, command.Stderr = r.in, said, r.err
	command.WaitDelay = time.Second
	endWhole(command)
	err := command.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it went well, and something that it started holds its output
	}
	switch {
	case said.over:
		return "", fmt.Errorf("%s: %w: it prints more than %d bytes", option, errSecretCommand, maxSecret)
	case err == nil:
		return said.text.String(), nil
	case allowed.Err() != nil:
		return "", fmt.Errorf("waiting for %s: %w", option, retry.Plain(allowed.Err()))
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w: it did not end within %v", option, errSecretCommand, secretCommandTime)
	}
	return "", fmt.Errorf("%s: %w: %w", option, errSecretCommand, err)
}

// bounded keeps what is written to it, up to so many bytes.
type bounded struct {
	text bytes.Buffer
	most int
	over bool // there was more
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > b.most {
		b.over = true
		return 0, io.ErrShortWrite // which ends the one who writes
	}
	return b.text.Write(p)
}

// readPassword reads the password of an account from a file, up to the end of its line; empty without a file.
func (r secretReader) readPassword(ctx context.Context, path string) (secret.Secret, error) {
	if path == "" {
		return secret.Secret{}, nil
	}
	text, err := r.readFile(ctx, "the password", path)
	if err != nil {
		return secret.Secret{}, err
	}
	password, _, _ := strings.Cut(strings.TrimRight(text, "\r\n"), "\n")
	if password = strings.TrimRight(password, "\r"); password == "" {
		return secret.Secret{}, emptySecret("reading the password", fmt.Sprintf("%q", path))
	}
	return secret.New(password), nil
}

// readFile reads a file, and warns if others can read it too. It may be a pipe that a
// program writes to, as a shell makes it of <(PROGRAM): that is waited for.
func (r secretReader) readFile(ctx context.Context, what, path string) (string, error) {
	allowed := ctx
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, secretCommandTime)
		defer cancel()
	}
	text, err := openfile.ReadStream(ctx, path, maxSecret)
	switch {
	case err == nil:
		warnOfReaders(r.log, path)
		return decoded(text), nil
	case allowed.Err() != nil:
		return "", fmt.Errorf("reading %s: nothing comes from %q: %w", what, path, retry.Plain(allowed.Err()))
	case ctx.Err() != nil:
		return "", notYet("reading %s: nothing came from %q within %v", what, path, secretCommandTime)
	}
	return "", ofFile(path, unread(err, "reading %s: %v", what, err))
}

// ofFile notes which file a usage error is about.
func ofFile(path string, err error) error {
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		usage.file = path
	}
	return err
}

// decoded is the text of a file, or of a pipe, without the mark of its encoding: PowerShell of Windows writes UTF-16 with its ">".
func decoded(text []byte) string {
	rest, marked := bytes.CutPrefix(text, []byte("\xff\xfe"))
	if !marked {
		return string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	}
	units := make([]uint16, len(rest)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(rest[2*i:])
	}
	return string(utf16.Decode(units))
}

// warnOfReaders tells of files with secrets that others than their owner, or the administrators, can read. Empty paths are none.
func warnOfReaders(log *slog.Logger, paths ...string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() { // what is wrong with it is told by who reads it
			continue
		}
		if mode, open := openToOthers(path, info); open {
			log.Warn("a credential file is readable by other users",
				"path", path, "mode", mode, "fix", shell.Here().Do(shell.CloseFile, path))
		}
	}
}

// readInput reads standard input to its end, which nobody may be going to bring.
func (r secretReader) readInput(ctx context.Context, what string) (string, error) {
	if *r.kept != nil {
		return string(*r.kept), nil
	}
	if r.at != nil {
		text, err := r.at.AskSecret(ctx, strings.ToUpper(what[:1])+what[1:])
		if err == nil {
			*r.kept = []byte(text)
		}
		return text, err
	}
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(r.in, maxSecret))
		done <- result{text, err}
	}()
	select {
	case got := <-done:
		if got.err != nil {
			return "", usagef("reading %s from standard input: %v", what, got.err)
		}
		*r.kept = []byte(decoded(got.text))
		return string(*r.kept), nil
	case <-ctx.Done():
		return "", fmt.Errorf("reading %s: standard input does not end: %w", what, retry.Plain(ctx.Err()))
	}
}

// systemdCredential reads what a unit's LoadCredential=NAME:... gave; empty if it
// gave nothing.
func systemdCredential(name string) (string, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", nil
	}
	text, err := openfile.Read(filepath.Join(dir, name), maxSecret)
	switch {
	case os.IsNotExist(err):
		return "", nil
	case err != nil:
		return "", usagef("reading the systemd credential %s: %v", name, err)
	case strings.TrimSpace(string(text)) == "":
		return "", usagef("reading the systemd credential %s: it is empty", name)
	}
	return string(text), nil
}
