package main

import (
	"slices"
	"strings"
	"testing"
)

func TestStrangeVariables(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, pair string
		want       string // what it is said to be; empty for nothing
		folds      bool   // capitals do not matter, as on Windows
	}{
		{name: "an option", pair: "RUNNER_BOOTSTRAP_LABELS=a"},
		{name: "a secret", pair: "RUNNER_BOOTSTRAP_TOKEN=a"},
		{name: "another secret", pair: "RUNNER_BOOTSTRAP_REGISTRATION_TOKEN=a"},
		{name: "of the installation script", pair: "RUNNER_BOOTSTRAP_INSTALL_VERSION=1"},
		{name: "of Kubernetes", pair: "RUNNER_BOOTSTRAP_PORT_9100_TCP_ADDR=10.0.0.1"},
		{name: "a host of Kubernetes", pair: "RUNNER_BOOTSTRAP_SERVICE_HOST=10.0.0.1"},
		{name: "a port of Kubernetes", pair: "RUNNER_BOOTSTRAP_PORT=tcp://10.0.0.1:9100"},
		{name: "empty", pair: "RUNNER_BOOTSTRAP_LABLES="},
		{name: "of somebody else", pair: "RUNNER_NAME=a"},
		{name: "of a program like this", pair: "RUNNER_BOOTSTRAPPER_URL=a"},
		{name: "of another tool", pair: "BOOTSTRAP_RUNNER_URL=a"},
		{name: "exchanged", pair: "RUNNER_BOOTSTRAP_LABLES=a", want: "RUNNER_BOOTSTRAP_LABELS"},
		{name: "plural", pair: "RUNNER_BOOTSTRAP_URLS=a", want: "RUNNER_BOOTSTRAP_URL"},
		{name: "in two words", pair: "RUNNER_BOOTSTRAP_RUNNER_GROUP=a", want: "RUNNER_BOOTSTRAP_RUNNERGROUP"},
		{name: "as one word", pair: "RUNNER_BOOTSTRAP_TOKENFILE=a", want: "RUNNER_BOOTSTRAP_TOKEN_FILE"},
		{name: "in small letters", pair: "runner_bootstrap_url=a", want: "RUNNER_BOOTSTRAP_URL"},
		{name: "in small letters on Windows", pair: "runner_bootstrap_url=a", folds: true},
		{name: "with hyphens", pair: "RUNNER-BOOTSTRAP-TOKEN-FILE=a", want: "RUNNER_BOOTSTRAP_TOKEN_FILE"},
		{name: "with another beginning", pair: "RUNNER_BOOSTRAP_URL=a", want: "RUNNER_BOOTSTRAP_URL"},
		{name: "with still another beginning", pair: "RUNNER_BOOTSRAP_URL=a", want: "RUNNER_BOOTSTRAP_URL"},
		{name: "a secret with another beginning", pair: "RUNER_BOOTSTRAP_TOKEN=a", want: "RUNNER_BOOTSTRAP_TOKEN"},
		{name: "without the line", pair: "RUNNERBOOTSTRAP_URL=a", want: "RUNNER_BOOTSTRAP_URL"},
		{name: "of another version", pair: "RUNNER_BOOTSTRAP_TELEPORT=a", want: "-"},
		{name: "a short word that is near to many", pair: "RUNNER_BOOTSTRAP_X=a", want: "-"},
		{name: "the beginning alone", pair: "RUNNER_BOOTSTRAP_=a", want: "-"},
		{name: "a long one", pair: "RUNNER_BOOTSTRAP_" + strings.Repeat("A", 1<<20) + "=a", want: "-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			name, _, _ := strings.Cut(test.pair, "=")
			var want []strangeVariable
			if test.want != "" {
				want = []strangeVariable{{name, strings.TrimPrefix(test.want, "-")}}
			}
			if got := strangeVariables([]string{"PATH=/bin", test.pair}, test.folds); !slices.Equal(got, want) {
				t.Errorf("%.200q is %.200v, want %.200v", test.pair, got, want)
			}
		})
	}
}

// What the program itself reads is known to it.
func TestOwnVariablesAreNotStrange(t *testing.T) {
	t.Parallel()
	known := ownVariables()
	if len(known) < len(declaredOptions())+4 {
		t.Errorf("%d variables are known, of %d options and 4 secrets", len(known), len(declaredOptions()))
	}
	for _, name := range known {
		if got := strangeVariables([]string{name + "=1"}, false); len(got) > 0 {
			t.Errorf("%s is strange: %v", name, got)
		}
	}
}
