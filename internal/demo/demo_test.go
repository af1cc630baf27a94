package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadmeShowsWhatTheDemoPrints runs the demonstration and compares what it
// prints with the README's first screen, but for what differs from host to
// host.
func TestReadmeShowsWhatTheDemoPrints(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```console\n$ go run ./internal/demo\n")
	shown, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("the README does not show the demonstration")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	printed := capture(t, func() error { return demonstrate(ctx) })
	if got, want := normal(printed), normal(shown); got != want {
		t.Errorf("the demonstration printed\n%s\nthe README shows\n%s", printed, shown)
	}
}

// capture returns what f writes to standard output.
func capture(t *testing.T, f func() error) string {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = write
	defer func() { os.Stdout = stdout }()
	printed := make(chan []byte)
	go func() {
		text, err := io.ReadAll(read)
		if err != nil {
			t.Error(err)
		}
		printed <- text
	}()
	err = f()
	if closeErr := write.Close(); closeErr != nil {
		t.Error(closeErr)
	}
	text := <-printed
	if err != nil {
		t.Fatalf("%v after\n%s", err, text)
	}
	return string(bytes.TrimSpace(text)) + "\n"
}

// normal takes out times, numbers and the host's own names.
func normal(text string) string {
	for _, r := range []struct{ pattern, with string }{
		{`DEMO=\S+`, "DEMO=DIR"},
		{` --user nobody`, ""},
		{`jobs run as \S+`, "jobs run as ACCOUNT"},
		{`hello from \S+`, "hello from ACCOUNT"},
		{`(linux|osx)-(x64|arm64|arm)`, "PLATFORM"},
		{`self-hosted,\w+,\w+`, "LABELS"},
		{`(?m)^jobs      .*\n`, ""}, // what confines them less than a service of systemd's would
		{`([0-9]+m)?[0-9.]+[mµ]?s\b`, "TIME"},
		{`[0-9]+`, "N"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	return text
}
