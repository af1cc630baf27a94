package main

import (
	"fmt"
	"strings"
	"time"
)

// link is how the server and the client are joined.
type link struct {
	name    string
	title   string
	rate    float64 // bytes a second; 0 is what the loopback gives
	each    bool    // every connection has the rate, instead of all of them together
	latency time.Duration
}

const megabit = 1e6 / 8

func allLinks() []link {
	return []link{
		{name: "loopback", title: "Loopback, not limited"},
		{name: "1g", title: "1 Gbit/s, 5 ms", rate: 1000 * megabit, latency: 5 * time.Millisecond},
		{name: "500m", title: "500 Mbit/s, 5 ms", rate: 500 * megabit, latency: 5 * time.Millisecond},
		{name: "100m", title: "100 Mbit/s, 5 ms", rate: 100 * megabit, latency: 5 * time.Millisecond},
		{
			name: "200m-per-connection", title: "200 Mbit/s for each connection, 20 ms",
			rate: 200 * megabit, each: true, latency: 20 * time.Millisecond,
		},
	}
}

func linkNames() (names []string) {
	for _, l := range allLinks() {
		names = append(names, l.name)
	}
	return names
}

// linksOf reads a list of names, in the order of allLinks.
func linksOf(list string) ([]link, error) {
	if list == "none" {
		return nil, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var links []link
	for _, l := range allLinks() {
		if wanted[l.name] {
			links = append(links, l)
			delete(wanted, l.name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("unknown link %q, there are %s", name, strings.Join(linkNames(), ", "))
	}
	return links, nil
}

// floor is the time that size bytes need on the link; 0 is unknown.
func (l link) floor(size int64) time.Duration {
	if l.rate == 0 {
		return 0
	}
	return l.latency + time.Duration(float64(size)/l.rate*float64(time.Second))
}
