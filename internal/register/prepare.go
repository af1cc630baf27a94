package register

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// furnished is a room in which config.sh can be run.
type furnished struct {
	dir         string
	user        account.User
	lock        *instance.Lock // of its number
	environment []string
}

// preparation is the making of a room beside other things.
type preparation struct {
	room  func() (*furnished, error) // waits for it
	taken sync.Once
}

// Prepare begins to make the room, for the first config.sh that is run in what it returns. Why it could not be made is told by that
// one. Who calls it calls [Room.Drop] in the end.
func (r Room) Prepare(ctx context.Context) Room {
	unprepared := r
	r.prepared = &preparation{room: sync.OnceValues(func() (*furnished, error) { return unprepared.furnish(ctx) })}
	go r.prepared.room() //nolint:errcheck // ready tells
	return r
}

// Drop removes a room that was prepared and not needed. It may be repeated.
func (r Room) Drop() {
	if r.prepared == nil {
		return
	}
	r.prepared.taken.Do(func() {
		if made, err := r.prepared.room(); err == nil { // one that could not be made has left nothing
			r.clear(context.Background(), made)
		}
	})
}

// ready gives a room, which is the caller's to remove: the one that was prepared, or another one.
func (r Room) ready(ctx context.Context) (made *furnished, err error) {
	if r.prepared != nil {
		first := false
		r.prepared.taken.Do(func() { first = true })
		if first {
			return r.prepared.room()
		}
	}
	return r.furnish(ctx)
}

// furnish makes a room: a copy of the runner that is the account's to write in, and nobody else's to look into. What is in it stays
// ours. After a failure nothing is left.
func (r Room) furnish(ctx context.Context) (made *furnished, err error) {
	if r.Place == nil {
		return nil, ErrNoProgram
	}
	if err := r.Sweep(ctx); err != nil {
		return nil, err
	}
	user, lock, err := r.claim(ctx)
	if err != nil {
		return nil, err
	}
	made = &furnished{dir: lockedFolder(lock), user: user, lock: lock}
	if err := r.Place(ctx, made.dir); err != nil {
		return nil, r.leave(ctx, made, fmt.Errorf("copying it from the cache: %w", err))
	}
	err = errors.Join(os.Chmod(made.dir, 0o700), user.Own(made.dir)) //nolint:gosec // it is a folder
	if err == nil {
		made.environment, err = r.environment(made.dir, user)
	}
	if err != nil {
		return nil, r.leave(ctx, made, err)
	}
	return made, nil
}
