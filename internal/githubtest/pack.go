package githubtest

import (
	"archive/tar"
	"archive/zip"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
)

const (
	// ownerID is who built the real archives; it means nobody on the host that unpacks them.
	ownerID       = 1001
	paddingFile   = 40 << 10
	paddingFolder = 64
)

// packer writes entries as they are, into a gzipped tar or a zip.
type packer struct {
	gz  *gzip.Writer
	tar *tar.Writer
	zip *zip.Writer
}

func newPacker(w io.Writer, asZip bool) *packer {
	if asZip {
		z := zip.NewWriter(w)
		z.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
			return flate.NewWriter(out, flate.BestSpeed)
		})
		return &packer{zip: z}
	}
	// BestSpeed is a level there is.
	gz, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	return &packer{gz: gz, tar: tar.NewWriter(gz)}
}

func (p *packer) add(e Entry, size int64, body io.Reader) error {
	if e.Type == 0 {
		e.Type = tar.TypeReg
	}
	if e.Mode == 0 {
		e.Mode = 0o644
		if e.Type == tar.TypeDir {
			e.Mode = 0o755
		}
	}
	write := p.addTar
	if p.zip != nil {
		write = p.addZip
	}
	if err := write(e, size, body); err != nil {
		return fmt.Errorf("packing %q: %w", e.Name, err)
	}
	return nil
}

func (p *packer) addTar(e Entry, size int64, body io.Reader) error {
	header := &tar.Header{
		Name: e.Name, Typeflag: e.Type, Linkname: e.Link, Mode: e.Mode, ModTime: made(), Format: tar.FormatGNU,
		Uid: ownerID, Gid: ownerID, Uname: "runner", Gname: "docker",
	}
	switch e.Type {
	case tar.TypeReg:
		header.Size = size
	case tar.TypeChar, tar.TypeBlock:
		header.Devmajor, header.Devminor = 1, 3
	}
	if err := p.tar.WriteHeader(header); err != nil {
		return err
	}
	if e.Type != tar.TypeReg {
		return nil
	}
	_, err := io.Copy(p.tar, body)
	return err
}

// addZip writes no Unix modes for ordinary entries, as the runner's own archives have none.
func (p *packer) addZip(e Entry, _ int64, body io.Reader) error {
	header := &zip.FileHeader{Name: e.Name, Method: zip.Deflate, Modified: made()}
	switch e.Type {
	case tar.TypeReg:
	case tar.TypeDir:
		header.Name, header.Method = strings.TrimSuffix(e.Name, "/")+"/", zip.Store
	case tar.TypeSymlink:
		header.SetMode(fs.ModeSymlink | 0o777)
		body = strings.NewReader(e.Link)
	default:
		return fmt.Errorf("a zip has no entries of type %q", e.Type)
	}
	w, err := p.zip.CreateHeader(header)
	if err != nil {
		return err
	}
	if e.Type == tar.TypeDir {
		return nil
	}
	_, err = io.Copy(w, body)
	return err
}

func (p *packer) close() error {
	if p.zip != nil {
		return p.zip.Close()
	}
	if err := p.tar.Close(); err != nil {
		return err
	}
	return p.gz.Close()
}

// addPadding adds bytes that do not compress, in files of the size the real externals have on average.
func addPadding(p *packer, total int64) error {
	if total <= 0 {
		return nil
	}
	noise := rand.NewChaCha8([32]byte([]byte("the same bytes on every computer")))
	prefix := "./"
	if p.zip != nil {
		prefix = ""
	}
	folder := ""
	for n := 0; total > 0; n++ {
		if n%paddingFolder == 0 {
			folder = path.Join("externals/padding", fmt.Sprintf("%04d", n/paddingFolder))
			if err := p.add(Entry{Name: prefix + folder + "/", Type: tar.TypeDir}, 0, nil); err != nil {
				return err
			}
		}
		size := min(paddingFile, total)
		e := Entry{Name: prefix + folder + fmt.Sprintf("/%02d.bin", n%paddingFolder)}
		if err := p.add(e, size, io.LimitReader(noise, size)); err != nil {
			return err
		}
		total -= size
	}
	return nil
}
