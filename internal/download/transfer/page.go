package transfer

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// pageError is a page that came in the place of the file: of a proxy, a portal, a server that has a bad moment. It matches
// [ErrTransfer].
type pageError struct {
	Host, Type, Title string

	Empty   bool // there was nothing at all
	Encoded bool // it is the file, in an encoding of the wire that was not asked for
}

func (e *pageError) Error() string {
	switch {
	case e.Empty:
		return e.Host + " sent nothing in the place of the file"
	case e.Encoded:
		return e.Host + " sent the file compressed once more, which it was asked not to do"
	}
	text := e.Host + " sent something else than the file"
	if e.Type != "" {
		text += ", of the type " + e.Type
	}
	if e.Title != "" {
		text += fmt.Sprintf(", with the title %q", e.Title)
	}
	return text
}

// Is makes every page a failure to receive.
func (e *pageError) Is(target error) bool { return target == ErrTransfer }

const (
	// maxHead is how much of a body is looked at for what it is.
	maxHead = 4 << 10
	// magic is enough of a file to tell every kind of archive.
	magic = 4
	// maxTitle is how much of a title is told.
	maxTitle = 80
)

// head is a body of which the beginning was looked at.
type head struct {
	io.Reader

	seen  []byte // what was looked at, and is still to be read
	watch *watch
}

func (h *head) Read(p []byte) (int, error) {
	if len(h.seen) > 0 {
		n := copy(p, h.seen)
		h.seen = h.seen[n:]
		return n, nil
	}
	return h.Reader.Read(p)
}

// fill looks at so many bytes of the body, or at all if it has less.
func (h *head) fill(n int) error {
	for len(h.seen) < n {
		piece := make([]byte, n-len(h.seen))
		h.watch.waits()
		got, err := h.Reader.Read(piece)
		h.watch.works()
		h.seen = append(h.seen, piece[:got]...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// skip leaves out what comes before the byte that was asked for.
func (h *head) skip(n int64) error {
	piece := make([]byte, min(n, bufferSize))
	for n > 0 {
		h.watch.waits()
		got, err := h.Read(piece[:min(n, int64(len(piece)))])
		h.watch.works()
		n -= int64(got)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// look refuses a page in the place of the file, before anything is done because of it. Where the file does not begin, only the
// server's own word tells.
func (w worker) look(ctx context.Context, resp *http.Response, body *head) error {
	if resp.StatusCode != http.StatusOK || w.r.Begins == nil {
		return nil
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	if err := body.fill(magic); err != nil {
		return w.lost(ctx, err)
	}
	switch {
	case len(body.seen) == 0:
		return refusal(tryAgain, &pageError{Host: hostOf(resp), Empty: true})
	case w.r.Begins(body.seen) && w.encoded(resp, body):
		return refusal(tryAgain, &pageError{Host: hostOf(resp), Encoded: true})
	case w.r.Begins(body.seen), !isPage(kind, body.seen):
		return nil // what is no page is for the digest to judge
	}
	_ = body.fill(maxHead) // as far as it comes: it is for the title alone
	page := &pageError{Host: hostOf(resp), Type: kind, Title: titleOf(body.seen)}
	return refusal(tryAgain, page)
}

// encoded tells whether a file was compressed on its way, once more than it is. Many servers say so of archives that they send as
// they are, so that only the bytes tell.
func (w worker) encoded(resp *http.Response, body *head) bool {
	if resp.Header.Get("Content-Encoding") == "" || body.fill(maxHead) != nil {
		return false
	}
	inner, err := gzip.NewReader(bytes.NewReader(body.seen))
	if err != nil {
		return false
	}
	begin := make([]byte, magic)
	_, err = io.ReadFull(inner, begin)
	return err == nil && w.r.Begins(begin)
}

// isPage tells whether an answer is meant for a person, or a program that speaks the API.
func isPage(kind string, begin []byte) bool {
	begin = bytes.TrimLeft(begin, "\ufeff \t\r\n")
	markup := len(begin) > 0 && (begin[0] == '<' || begin[0] == '{')
	return markup || strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json") ||
		strings.HasSuffix(kind, "/xml") || strings.HasSuffix(kind, "+xml")
}

var titleForm = pattern.New(`(?is)<title[^>]*>(.*?)</title>`)

// titleOf is the title of a page, on one line.
func titleOf(page []byte) string {
	parts := titleForm.FindSubmatch(page)
	if parts == nil {
		return ""
	}
	title := strings.Join(strings.Fields(html.UnescapeString(strings.ToValidUTF8(string(parts[1]), "?"))), " ")
	if runes := []rune(title); len(runes) > maxTitle {
		title = string(runes[:maxTitle-3]) + "..."
	}
	return title
}
