package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// maxAnswer is far more than a state has.
const maxAnswer = 1 << 20

// Ask returns the state of the agent at path. It waits for five seconds at most.
func Ask(ctx context.Context, path string) (State, error) {
	return call(ctx, path, "asking at", http.MethodGet, "state", http.StatusOK)
}

// Tell gives a command to the agent at path, and returns its state after it took it in. It waits for five seconds at
// most; that the command was carried out has to be seen by Ask. A nil error says that the agent took it.
func Tell(ctx context.Context, path string, command Command) (State, error) {
	return call(ctx, path, "telling "+string(command)+" at", http.MethodPost, string(command), http.StatusAccepted)
}

// Latest is what the agent of a record says of its listener, at this moment if it answers,
// else the latest word that it has left, and whether it is alive. The error is for a
// word that cannot be read; silent says that the agent is there and does not answer.
func Latest(ctx context.Context, store *instance.Store, record instance.Record) (report instance.Report, alive, silent bool, err error) {
	if record.Control != "" {
		state, err := Ask(ctx, record.Control)
		if err == nil && state.Name == record.Name && state.Report.State != "" {
			return state.Report, true, false, nil
		}
		silent = errors.Is(err, ErrNoAnswer)
	}
	report, alive, err = instance.LastReport(store, record.Name)
	return report, alive, silent && alive, err
}

func call(ctx context.Context, path, verb, method, word string, want int) (State, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrNoAnswer)
	defer cancel()
	state, err := exchange(ctx, path, method, word, want)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return State{}, wrap(verb, path, err)
	}
	return state, nil
}

func exchange(ctx context.Context, path, method, word string, want int) (State, error) {
	var refused error
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
			conn, refused = dial(ctx, path)
			return conn, refused
		},
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+prefix+word, http.NoBody)
	if err != nil {
		return State{}, err
	}
	response, err := client.Do(request)
	if refused != nil {
		return State{}, refused
	}
	if err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrAnswer, errors.Unwrap(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if response.StatusCode != want {
		return State{}, fmt.Errorf("%w: status %s", ErrAnswer, response.Status)
	}
	var state State
	if err := json.Unmarshal(text, &state); err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if state.Name == "" || state.PID <= 0 {
		return State{}, fmt.Errorf("%w: it names no runner or no process", ErrAnswer)
	}
	return state, nil
}

// dial connects to the agent at path, if it is one of ours.
func dial(ctx context.Context, path string) (net.Conn, error) {
	if err := lies(path); err != nil {
		return nil, err
	}
	conn, err := connect(ctx, path)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoAgent
	}
	if err != nil {
		return nil, err
	}
	if err := trusted(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
