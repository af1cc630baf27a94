package transport

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// A request that began to connect, and was given the connection that another had
// done with, has one on its way that nobody needs. The next request waits for that
// instead of opening one more.
func TestDownloadOpensNoConnectionToSpare(t *testing.T) {
	t.Parallel()
	answer, arrived := make(chan struct{}), make(chan struct{}, maxDownloadConnections+1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	defer server.Close()
	dials, gate := make(chan int, 2*maxDownloadConnections), make(chan struct{})
	client := NewDownload(Config{UserAgent: "test"})
	wire := client.Transport.(agent).next.(*http.Transport)
	below, n, mu := wire.DialContext, 0, sync.Mutex{}
	wire.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		n++
		mine := n
		mu.Unlock()
		dials <- mine
		if mine >= maxDownloadConnections {
			<-gate
		}
		return below(ctx, network, address)
	}
	var all sync.WaitGroup
	get := func() {
		all.Go(func() {
			resp, err := client.Get(server.URL)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	for range maxDownloadConnections - 1 {
		get()
		<-dials
		<-arrived
	}
	get()
	<-dials // it is on its way
	answer <- struct{}{}
	<-arrived // on the connection that has become free
	get()
	select {
	case mine := <-dials:
		t.Errorf("connection %d is opened, of %d that are allowed", mine, maxDownloadConnections)
	case <-time.After(200 * time.Millisecond):
	}
	close(gate)
	close(answer)
	all.Wait()
}
