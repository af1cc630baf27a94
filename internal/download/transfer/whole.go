package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// whole is what was seen of the digest of a file while answers failed. No byte is read for it twice. Stream.mu guards it.
type whole struct {
	sum        hash.Hash
	upto       int64
	generation int
}

// endsHereLocked makes what has come the whole file if its digest says so, whatever length was announced for it: a server may
// announce none, or one that is too long, and then go on to fail. The caller is the only connection. Where bytes have skipped the
// disk nobody can tell; the file is then started again sooner or later, and does not skip it any more.
func (w worker) endsHereLocked() (bool, error) {
	size := w.segs.done
	if w.r.SHA256 == "" || size == 0 || w.active > 1 || w.direct.skipped() || w.segs.prefix() != size {
		return false, nil
	}
	digest, err := w.whole.of(w.part, size, w.generation)
	if err != nil || digest != w.r.SHA256 {
		return false, err
	}
	return true, w.wholeAtLocked(size)
}

// of is the digest of the first bytes of a part file, in whose place nothing else was put within a generation; empty if it has
// fewer.
func (w *whole) of(part io.ReaderAt, size int64, generation int) (string, error) {
	if w.sum == nil || w.generation != generation || w.upto > size {
		*w = whole{sum: sha256.New(), generation: generation}
	}
	n, err := io.Copy(w.sum, io.NewSectionReader(part, w.upto, size-w.upto))
	w.upto += n
	if err != nil {
		return "", fmt.Errorf("reading the part file: %w", err)
	}
	if w.upto != size {
		return "", nil
	}
	return hex.EncodeToString(w.sum.Sum(nil)), nil
}

// wholeAtLocked makes size the length of the file, all of which has come.
func (w worker) wholeAtLocked(size int64) error {
	if err := w.learnSizeLocked(size); err != nil {
		return err
	}
	w.arrivedLocked()
	w.getReadyLocked()
	w.more.Broadcast()
	return nil
}
