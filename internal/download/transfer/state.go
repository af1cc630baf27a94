package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
)

const (
	stateMark   = ".state"
	newMark     = ".new"
	stateSchema = 1
	// lineLength is that of a segment's line, "%08d\n".
	lineLength = 9
	// maxState bounds what is read of a state file: that of 7 TB.
	maxState = 16 << 20
)

// header is the first line of a state file. It has no URL: those of mirrors,
// and signed ones, differ from run to run.
type header struct {
	Schema  int   `json:"schema"`
	Size    int64 `json:"size"` // 0: unknown
	Segment int64 `json:"segment"`
}

// ledger is the state file: its header, and one line per segment with the
// bytes received of it. Each line has its place, so that it is updated by one
// small write.
type ledger struct {
	path string
	file *os.File // nil until there is something to say
	base int64    // where the lines begin
}

// load reads the state, if there is one that can be trusted of a part file
// that holds so many bytes. Otherwise got is nil and the error too.
func (l *ledger) load(held int64) (head header, got []int64, err error) {
	file, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return head, nil, nil
	}
	if err != nil {
		return head, nil, fmt.Errorf("opening the state of the part file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxState))
	if err != nil {
		return head, nil, errors.Join(fmt.Errorf("reading the state of the part file: %w", err), file.Close())
	}
	head, got, base := parseState(text, held)
	if got == nil {
		return head, nil, file.Close()
	}
	l.file, l.base = file, base
	return head, got, nil
}

// parseState understands a state file wholly, or not at all (got is nil).
func parseState(text []byte, held int64) (head header, got []int64, base int64) {
	first, lines, ok := bytes.Cut(text, []byte("\n"))
	if !ok || json.Unmarshal(first, &head) != nil {
		return header{}, nil, 0
	}
	if head.Schema != stateSchema || head.Segment != segmentSize || head.Size < 0 || len(lines)%lineLength != 0 {
		return header{}, nil, 0
	}
	count := len(lines) / lineLength
	if count == 0 || head.Size > 0 && int64(count) != (head.Size-1)/segmentSize+1 {
		return header{}, nil, 0
	}
	for i := range count {
		line := lines[i*lineLength : (i+1)*lineLength]
		n, err := strconv.ParseUint(string(line[:lineLength-1]), 10, 32)
		if err != nil || line[lineLength-1] != '\n' {
			return header{}, nil, 0
		}
		begin, length := int64(i)*segmentSize, int64(segmentSize)
		if head.Size > 0 {
			length = min(length, head.Size-begin)
		}
		// Without a size there was one connection at a time, which leaves no gaps.
		gap := head.Size == 0 && n > 0 && i > 0 && got[i-1] < segmentSize
		if int64(n) > length || n > 0 && begin+int64(n) > held || gap {
			return header{}, nil, 0
		}
		got = append(got, int64(n))
	}
	return head, got, int64(len(first)) + 1
}

// rewrite replaces the state as a whole: a reader finds the old or the new one.
func (l *ledger) rewrite(size int64, got []int64) error {
	first, err := json.Marshal(header{Schema: stateSchema, Size: size, Segment: segmentSize})
	if err != nil {
		return fmt.Errorf("encoding the state of the part file: %w", err)
	}
	text := append(first, '\n')
	for _, n := range got {
		text = fmt.Appendf(text, "%08d\n", n)
	}
	// Some systems do not replace a file that is open.
	if err := l.close(); err != nil {
		return err
	}
	if err := os.WriteFile(l.path+newMark, text, 0o600); err != nil {
		return fmt.Errorf("writing the state of the part file: %w", err)
	}
	if err := inuse.Rename(l.path+newMark, l.path); err != nil {
		return fmt.Errorf("replacing the state of the part file: %w", err)
	}
	file, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the state of the part file: %w", err)
	}
	l.file, l.base = file, int64(len(first))+1
	return nil
}

// note updates the line of one segment.
func (l *ledger) note(index int, got int64) error {
	var line [lineLength]byte
	if _, err := l.file.WriteAt(fmt.Appendf(line[:0], "%08d\n", got), l.base+int64(index)*lineLength); err != nil {
		return fmt.Errorf("writing the state of the part file: %w", err)
	}
	return nil
}

func (l *ledger) close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
