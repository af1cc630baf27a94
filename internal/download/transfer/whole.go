package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// whole is what was seen of the digest of a file whose length nobody says. No byte is read for it twice. Stream.mu guards it.
type whole struct {
	sum        hash.Hash
	upto       int64
	generation int
}

// isWholeLocked tells by its digest whether the first bytes of the part file are all of the file. What has no known length comes
// by one connection, and skips no disk.
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
