package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/atomicfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

const (
	recordFile = "record.json"
	reportFile = "listener.json"
	runLock    = "run.lock"
	recordLock = "record.lock"
	hostLock   = "lock"
	homes      = "instances" // a folder for each runner
)

// maxRecord is far more than any file in a store has. With --dir, others may write there.
const maxRecord = 4 << 20

// ErrUnknown means that there is no record of that name.
var ErrUnknown = errors.New("no such runner on this host")

// Store keeps the records of this host below one private directory.
type Store struct {
	dir string
}

// NewStore returns the store below dir, which need not exist yet.
func NewStore(dir string) *Store { return &Store{dir: dir} }

// Exists tells whether anything was ever written on this host, be it the lock.
func (s *Store) Exists() bool {
	_, err := os.Lstat(s.dir)
	return err == nil
}

// Folder is where what belongs to a runner is kept, for those who look whether it can be written to.
func Folder(s *Store, name string) string { return s.home(name) }

func (s *Store) home(name string) string { return filepath.Join(s.dir, homes, name) }

// Load reads the record called name; [ErrUnknown] if there is none.
func (s *Store) Load(name string) (Record, error) {
	if err := CheckName(name); err != nil {
		return Record{}, err
	}
	file := filepath.Join(s.home(name), recordFile)
	text, err := openfile.Read(file, maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	if err != nil {
		return Record{}, fmt.Errorf("reading record: %w", err)
	}
	var record Record
	if err := json.Unmarshal(text, &record); err != nil {
		return Record{}, fmt.Errorf("reading record %q: %w", file, err)
	}
	switch {
	case record.Schema > schema:
		return Record{}, fmt.Errorf("reading record %q: it was written by a newer runner-bootstrap", file)
	case record.Schema < 1 || record.Name != name:
		return Record{}, fmt.Errorf("reading record %q: it is not the record of %q", file, name)
	}
	return record, nil
}

// Called gives the name of the runner as this host has it, where that differs from name in nothing but case: GitHub takes both
// for the same runner. It gives name where there is none.
func (s *Store) Called(name string) string {
	entries, err := os.ReadDir(filepath.Join(s.dir, homes))
	if err != nil {
		return name // the one who reads the record says so
	}
	found := name
	for _, entry := range entries {
		if entry.Name() == name {
			return name
		}
		if strings.EqualFold(entry.Name(), name) {
			found = entry.Name()
		}
	}
	return found
}

// List reads all records, by name. The error is for those that could not be read,
// and the others come beside it.
func (s *Store) List() ([]Record, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, homes))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing records: %w", err)
	}
	var records []Record
	var failed error
	for _, entry := range entries {
		if !entry.IsDir() || CheckName(entry.Name()) != nil {
			continue // not ours
		}
		record, err := s.Load(entry.Name())
		if errors.Is(err, ErrUnknown) {
			continue // being made or being removed at this moment
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		records = append(records, record)
	}
	sort.Slice(records, func(i, j int) bool { return records[i].Name < records[j].Name })
	return records, failed
}

// Save writes the record so that after a crash either the old or the new one
// is there, whole.
func (s *Store) Save(record Record) error {
	if err := CheckName(record.Name); err != nil {
		return err
	}
	record.Schema = schema
	record.Updated = time.Now().UTC().Truncate(time.Second)
	if record.Created.IsZero() {
		record.Created = record.Updated
	}
	if err := os.MkdirAll(s.home(record.Name), 0o700); err != nil {
		return fmt.Errorf("making the record's directory: %w", err)
	}
	text, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding record: %w", err)
	}
	if err := replaceFile(filepath.Join(s.home(record.Name), recordFile), append(text, '\n')); err != nil {
		return fmt.Errorf("saving record: %w", err)
	}
	return nil
}

// Forget removes everything remembered of name, and the store itself when
// nothing is left in it but its lock. Already forgotten is a success.
func (s *Store) Forget(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := removal.Path(s.home(name)); err != nil {
		return fmt.Errorf("removing record: %w", err)
	}
	// Fails, rightly, while other runners are remembered.
	_ = os.Remove(filepath.Join(s.dir, homes))
	return nil
}

// partPrefix begins the names of files that are about to be renamed, and of nothing else in the state directory.
const partPrefix = "."

// forgotten is the age at which such a file belongs to nobody that is alive.
const forgotten = time.Minute

// removeParts removes what killed processes were about to rename in the state
// directory: it may hold a token.
func (s *Store) removeParts() {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, file := range files {
		info, err := file.Info()
		if err == nil && strings.HasPrefix(file.Name(), partPrefix) && time.Since(info.ModTime()).Abs() > forgotten {
			_ = os.Remove(filepath.Join(s.dir, file.Name())) // the next one tries again
		}
	}
}

// replaceFile writes a private file through a rename, and makes both durable.
func replaceFile(name string, text []byte) error {
	return atomicfile.Write(name, text, atomicfile.Options{Durable: true})
}
