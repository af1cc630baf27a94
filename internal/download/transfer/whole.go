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
	if w.active > 1 || w.direct.skipped() || w.segs.prefix() != w.segs.done {
		return false, nil
	}
	whole, err := w.isWholeLocked(w.segs.done)
	if !whole || err != nil {
		return false, err
	}
	return true, w.wholeAtLocked(w.segs.done)
}

// isWholeLocked tells by its digest whether the first bytes of the part file are all of the file.
func (w worker) isWholeLocked(size int64) (bool, error) {
	if w.r.SHA256 == "" || size == 0 {
		return false, nil
	}
	if w.whole.sum == nil || w.whole.generation != w.generation || w.whole.upto > size {
		w.whole = whole{sum: sha256.New(), generation: w.generation}
	}
	n, err := io.Copy(w.whole.sum, io.NewSectionReader(w.part, w.whole.upto, size-w.whole.upto))
	w.whole.upto += n
	if err != nil {
		return false, fmt.Errorf("reading the part file: %w", err)
	}
	return w.whole.upto == size && hex.EncodeToString(w.whole.sum.Sum(nil)) == w.r.SHA256, nil
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
