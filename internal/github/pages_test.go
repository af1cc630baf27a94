package github_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// A list is read to its end, however many a server gives on a page, and whatever it says that there are.
func TestPagesOfOddServers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most, there, said, requests int
	}{
		"as GitHub does":           {100, 250, 250, 3},
		"a full page at the end":   {100, 200, 200, 3},
		"fewer on a page":          {30, 75, 75, 3},
		"one on a page":            {1, 5, 5, 5},
		"the number is too small":  {100, 250, 5, 3},
		"the number is too large":  {100, 50, 5000, 2},
		"none of a number":         {100, 0, 7, 1},
		"without a number, enough": {100, 50, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				page, err := strconv.Atoi(r.URL.Query().Get("page"))
				if err != nil {
					t.Error(err)
				}
				runners := []map[string]any{}
				for id := (page-1)*c.most + 1; id <= min(page*c.most, c.there); id++ {
					runners = append(runners, map[string]any{"id": id, "name": "r" + strconv.Itoa(id)})
				}
				// The client's test tells what did not arrive.
				_ = json.NewEncoder(w).Encode(map[string]any{"total_count": c.said, "runners": runners})
			}))
			defer server.Close()
			runners, err := newClient(t, server.URL+"/octo-org", "", "t").Runners(t.Context(), "")
			if err != nil || len(runners) != c.there || requests != c.requests {
				t.Errorf("%d runners after %d requests, %v; want %d after %d", len(runners), requests, err, c.there, c.requests)
			}
		})
	}
}
