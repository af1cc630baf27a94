// Command github is a simulated GitHub for scripts that want to see a runner live on a machine without a network:
//
//	github LISTENER FOLDER
//
// LISTENER is the simulated listener, compiled for this machine. FOLDER gets github.json, once GitHub answers: its url, a token
// that may administer runners, and the address of control. Control answers in JSON:
//
//	POST /jobs?runner=NAME   queues a job whose script is the body: {"id": 1}
//	GET  /jobs?id=1          {"started": true, "conclusion": "succeeded", "output": "..."}; no conclusion while it runs
//	GET  /runners            [{"name": "vm", "status": "online", "busy": false}]
//	POST /end                ends all
//
// What has become of job 1 is in job-1.json of that folder as well, once it has ended.
//
// It ends after half an hour, whatever happens.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

const (
	limit      = 30 * time.Minute
	lastAnswer = 10 * time.Second
	version    = "2.337.0"
	maxScript  = 64 << 10
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	// Windows sends this at its shutdown, and what is to be seen then is what comes after it.
	shutdown := make(chan os.Signal, 1)
	signal.Notify(shutdown, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := serve(ctx, os.Args[1:])
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "github:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, arguments []string) (err error) {
	if len(arguments) != 2 {
		return errors.New("usage: github LISTENER FOLDER")
	}
	platform, err := download.Host()
	if err != nil {
		return err
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: version, Listener: arguments[0]})
	if err != nil {
		return err
	}
	server, err := githubtest.Start(githubtest.Config{Archive: archive})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	b := &board{ctx: ctx, server: server, folder: arguments[1], end: end}
	control := &http.Server{Handler: b.routes(), ReadHeaderTimeout: time.Minute}
	go func() { _ = control.Serve(listener) }() // until it is closed
	defer func() {
		// Who has asked for the end gets an answer.
		answered, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswer)
		defer cancel()
		err = errors.Join(err, control.Shutdown(answered))
	}()
	described, err := json.Marshal(map[string]string{
		"url": server.URL(), "token": server.Token(), "control": "http://" + listener.Addr().String(),
	})
	if err != nil {
		return err
	}
	if err := write(filepath.Join(arguments[1], "github.json"), described); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// write makes a file that is whole when its name is there.
func write(name string, text []byte) error {
	if err := os.WriteFile(name+".part", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".part", name)
}

// board is what a script asks.
type board struct {
	ctx    context.Context //nolint:containedctx // jobs are waited for as long as the program lives, not a request
	server *githubtest.Server
	folder string
	end    func()

	mu   sync.Mutex
	jobs []*job
}

// job is one that was queued, as far as is known.
type job struct {
	Started    bool   `json:"started"`
	Conclusion string `json:"conclusion"`
	Output     string `json:"output"`
}

func (b *board) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", b.queue)
	mux.HandleFunc("GET /jobs", b.look)
	mux.HandleFunc("GET /runners", func(w http.ResponseWriter, _ *http.Request) {
		all := []map[string]any{}
		for _, r := range b.server.Runners("") {
			all = append(all, map[string]any{"name": r.Name, "status": r.Status, "busy": r.Busy})
		}
		answer(w, all)
	})
	mux.HandleFunc("POST /end", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, true)
		b.end()
	})
	return mux
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // who asked may have gone
}

func (b *board) queue(w http.ResponseWriter, r *http.Request) {
	script, err := io.ReadAll(io.LimitReader(r.Body, maxScript))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	run := b.server.QueueJob(r.URL.Query().Get("runner"), githubtest.Job{Script: string(script)})
	this := &job{}
	b.mu.Lock()
	b.jobs = append(b.jobs, this)
	id := len(b.jobs)
	b.mu.Unlock()
	go b.follow(run, id, this)
	answer(w, map[string]int{"id": id})
}

// follow notes what becomes of a job.
func (b *board) follow(run *githubtest.JobRun, id int, this *job) {
	if _, err := run.WaitStarted(b.ctx); err != nil {
		return // the program ends
	}
	b.mu.Lock()
	this.Started = true
	b.mu.Unlock()
	conclusion, err := run.Wait(b.ctx)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	this.Conclusion, this.Output = conclusion, run.Output()
	text, err := json.Marshal(this)
	if err == nil {
		err = write(filepath.Join(b.folder, fmt.Sprintf("job-%d.json", id)), text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "github: noting a job:", err)
	}
}

func (b *board) look(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.URL.Query().Get("id"))
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || id < 1 || id > len(b.jobs) {
		http.Error(w, "no such job", http.StatusNotFound)
		return
	}
	answer(w, b.jobs[id-1])
}
