package register

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// StartEnvironment is what the listener of a record has to be started with, since
// it is too late when it loads .env: whom it trusts, above all.
func StartEnvironment(store *instance.Store, record instance.Record, environment []string, log *slog.Logger) []string {
	start := slices.DeleteFunc(slices.Clone(environment), func(variable string) bool { return !atStart(variable) })
	return append(start, namedAtStart(store, record, environment, log)...)
}

// namedAtStart are those variables that the user has named for jobs: they win, as
// they do in .env. What is kept for .env has those of the network as well.
func namedAtStart(store *instance.Store, record instance.Record, environment []string, log *slog.Logger) []string {
	kept, err := store.KeptVariables(record.Name)
	if err != nil {
		log.Warn("cannot read which variables the runner has", "runner", record.Name, "error", err)
		return nil
	}
	return slices.DeleteFunc(kept, func(variable string) bool {
		return !atStart(variable) || slices.Contains(record.Environment, variable) || slices.Contains(environment, variable)
	})
}

// atStart tells whether .NET reads a variable when its process starts. The runner
// loads .env after that.
func atStart(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return name == "SSL_CERT_FILE" || name == "SSL_CERT_DIR" || strings.HasPrefix(name, "DOTNET_") || strings.HasPrefix(name, "COMPlus_")
}
