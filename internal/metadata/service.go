package metadata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// origin is the metadata service of every cloud here. It is a constant because
	// an answer from elsewhere must not be able to end a job.
	origin = "http://169.254.169.254"

	dialTimeout = 2 * time.Second
	// patience is how long one answer may take. The service is on the same host, so
	// one that takes longer will not come.
	patience = 5 * time.Second
	// maxBody is far more than any answer that we ask for has.
	maxBody = 64 << 10
)

// service asks the metadata service.
type service struct{ http *http.Client }

// newService returns a service without a connection. It uses no proxy, whatever the
// environment says: the address means another machine there.
func newService() *service {
	return &service{&http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			DisableCompression:     true, // so that maxBody bounds the work as well
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxBody,
		},
		// No metadata service sends anybody elsewhere, and elsewhere the headers with
		// the token are nobody's business.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *service) close() { s.http.CloseIdleConnections() }

// answer is what the service said, with whatever status.
type answer struct {
	status int
	header http.Header
	body   string
}

// left is how long it is from the answer until at. An answer says when it was given, by the clock that at is
// of; where it does not, this machine's own has to do.
func (a answer) left(at time.Time) time.Duration {
	if given, err := http.ParseTime(a.header.Get("Date")); err == nil && isTime(given) {
		return at.Sub(given)
	}
	return time.Until(at)
}

// question is one request.
type question struct {
	method   string // GET if empty
	path     string // with the query
	header   map[string]string
	body     string
	patience time.Duration // patience if zero
}

// ask sends a question. An answer with a status of failure is no error. The text of
// an error is the same each time the same thing goes wrong, so that it can be compared.
func (s *service) ask(ctx context.Context, q question) (answer, error) {
	if q.method == "" {
		q.method = http.MethodGet
	}
	if q.patience == 0 {
		q.patience = patience
	}
	a, err := s.send(ctx, q)
	if err != nil {
		return answer{}, q.failed(err)
	}
	return a, nil
}

func (s *service) send(ctx context.Context, q question) (answer, error) {
	limited, cancel := context.WithTimeout(ctx, q.patience)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, q.method, origin+q.path, strings.NewReader(q.body))
	if err != nil {
		return answer{}, err
	}
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return answer{}, cause(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return answer{}, cause(err)
	}
	if len(body) > maxBody {
		return answer{}, fmt.Errorf("answer of more than %d bytes", maxBody)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}, nil
}

// errSilent says that the service was reached, or is there at least, and has not answered.
var errSilent = errors.New("no answer in time")

// cause is what went wrong without what differs each time: the port of our end of
// the connection, and what ran out first of the several timeouts.
func cause(err error) error {
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return errSilent
	}
	if operation := (*net.OpError)(nil); errors.As(err, &operation) {
		return operation.Err
	}
	if request := (*url.Error)(nil); errors.As(err, &request) {
		return request.Err
	}
	return err
}

// failed says which question went wrong, without its query, which changes from one
// to the next.
func (q question) failed(err error) error {
	path, _, _ := strings.Cut(q.path, "?")
	return fmt.Errorf("asking the metadata service for %s: %w", path, err)
}

// refused is the error for an answer whose status means neither yes nor no.
func (q question) refused(a answer) error {
	return q.failed(fmt.Errorf("unexpected status %d", a.status))
}

// unclear is the error for an answer whose body is not what it should be. The body
// itself is not shown: it may be a secret, and another one each time.
func (q question) unclear(what string) error {
	return q.failed(errors.New(what))
}
