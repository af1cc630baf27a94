package control

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// patience bounds how long one caller may take for its request, and for taking its answer.
	patience = 5 * time.Second
	// maxHeader is far more than our own client sends.
	maxHeader = 8 << 10
	// farewell is how long requests that are being answered may take when the agent ends.
	farewell = time.Second
)

// Agent is who is asked.
type Agent interface {
	// State is what the agent does at this moment.
	State() State
	// Do takes in a command and returns at once; that it was done is seen in State.
	Do(command Command)
}

// Server answers at one socket until Close.
type Server struct {
	socket *socket
	http   *http.Server
	ended  chan struct{}
}

// Listen makes the socket at path, which only the account of this process can reach, and answers for agent. A socket
// that a killed agent has left is replaced, and so is anything else at that place, which is nobody's but ours. The
// error matches [ErrRunning] when another agent answers there, and [ErrForeign] when the folder is not safe. After a
// failure nothing of ours is left.
func Listen(path string, agent Agent, log *slog.Logger) (*Server, error) {
	socket, err := bind(path)
	if err != nil {
		return nil, wrap("opening", path, err)
	}
	s := &Server{socket: socket, ended: make(chan struct{})}
	s.http = &http.Server{
		Handler: routes(agent), MaxHeaderBytes: maxHeader,
		ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: patience,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.ended)
		if err := s.http.Serve(ours{socket.listener}); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("cannot answer on the control socket any more", "path", path, "error", err)
		}
	}()
	return s, nil
}

// Close ends the answering and removes the socket. It may be called once.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.ended
	return errors.Join(err, s.socket.remove())
}

func routes(agent Agent) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"state", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, agent.State())
	})
	for _, command := range commands() {
		mux.HandleFunc("POST "+prefix+string(command), func(w http.ResponseWriter, _ *http.Request) {
			agent.Do(command)
			answer(w, http.StatusAccepted, agent.State())
		})
	}
	return mux
}

// answer sends a state. Who hangs up before the end has asked in vain, which is not the agent's concern.
func answer(w http.ResponseWriter, status int, state State) {
	text, err := json.Marshal(state)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // see above
}

// ours lets in root and the account of this process alone, whatever the mode of the socket.
type ours struct{ net.Listener }

// Accept closes the connections of others.
func (l ours) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if mayAsk(conn) == nil {
			return conn, nil
		}
		_ = conn.Close() // a stranger's: what becomes of it is all the same
	}
}
