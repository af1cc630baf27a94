package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// serveCommand is the server: it prints its address and ends with its standard
// input, so it cannot outlive the benchmark, whatever ends that.
func serveCommand(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	file := flags.String("file", "", "the file to serve under every path that ends with its name")
	name := flags.String("link", "loopback", "how fast")
	if err := flags.Parse(args); err != nil {
		return err
	}
	links, err := linksOf(*name)
	if err != nil {
		return err
	}
	if len(links) != 1 {
		return errors.New("a server has one link")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	server := &http.Server{Handler: archiveHandler(*file, links[0].latency), ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	fmt.Println(listener.Addr())
	if err := server.Serve(shape(listener, links[0])); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// archiveHandler answers as a release host does: ranges, a strong validator.
func archiveHandler(file string, latency time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		if path.Base(r.URL.Path) != filepath.Base(file) {
			http.NotFound(w, r)
			return
		}
		content, err := os.Open(file)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer content.Close()
		info, err := content.Stat()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()))
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", info.ModTime(), content)
	})
}

// server is a running serveCommand.
type server struct {
	address string
	command *exec.Cmd
	hold    io.Closer // its standard input
	killed  func() error
}

// startServer serves file on link l in a process of its own.
func startServer(ctx context.Context, file string, l link) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	command := exec.CommandContext(ctx, self, "serve", "-file", file, "-link", l.name)
	ownGroup(command)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	s := &server{command: command, hold: in, killed: ctx.Err}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the server's address: %w", err), s.close())
	}
	s.address = strings.TrimSpace(line)
	return s, nil
}

func (s *server) close() error {
	err := errors.Join(s.hold.Close(), s.command.Wait())
	if err != nil && s.killed() == nil {
		return fmt.Errorf("ending the server: %w", err)
	}
	return nil
}
