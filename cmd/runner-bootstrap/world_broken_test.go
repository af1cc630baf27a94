package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// startBroken starts the simulator with an archive that is none, under its true
// digest: what is wrong with it must be found in it.
func (w *world) startBroken(ts *testscript.TestScript, platform, name string) error {
	good, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform, Version: simulatedVersion, Listener: w.listener})
	if err != nil {
		return err
	}
	in, err := good.Open()
	if err != nil {
		return err
	}
	whole, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return err
	}
	data, err := broken(name, whole)
	if err != nil {
		return err
	}
	if err := w.serve(githubtest.ArchiveOf(platform, simulatedVersion, data)); err != nil {
		return err
	}
	return w.tellScript(ts)
}

// broken does to a whole archive what name says.
func broken(name string, whole []byte) ([]byte, error) {
	end := len(whole)
	switch name {
	case "not-found":
		return []byte("Not Found"), nil
	case "empty":
		return nil, nil
	case "cut":
		return whole[:end/2], nil
	case "cut-at-the-end":
		return whole[:end-1], nil
	case "wrong-crc":
		whole[end-8] ^= 1
	case "wrong-length":
		whole[end-1] ^= 1
	case "rubbish-behind":
		return append(whole, "rubbish"...), nil
	case "cut-tar":
		plain, err := unpacked(whole)
		if err != nil {
			return nil, err
		}
		return pack(func(out io.Writer) error { _, err := out.Write(plain[:512*3+100]); return err })
	case "huge":
		return packTar([]tar.Header{{Name: "./huge", Typeflag: tar.TypeReg, Size: 1 << 40, Mode: 0o644}})
	case "many":
		headers := make([]tar.Header, 210_000)
		for i := range headers {
			headers[i] = tar.Header{Name: "./d/", Typeflag: tar.TypeDir, Mode: 0o755}
		}
		return packTar(headers)
	default:
		return nil, fmt.Errorf("no broken archive %q", name)
	}
	return whole, nil
}

func unpacked(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func pack(write func(io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	err := write(z)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// packTar has headers alone, and so ends in the middle of the first content.
func packTar(headers []tar.Header) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	for i := range headers {
		if err := t.WriteHeader(&headers[i]); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}
