package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// The values of preemption that name no cloud.
const (
	PreemptionAuto = "auto"
	PreemptionOff  = "off"
)

const (
	// preemptionReserve is what is left of a notice for ending the listener and
	// taking the runner away from GitHub.
	preemptionReserve = 15 * time.Second
	// shortestNotice is what a cloud gives that does not say when: Google and Azure
	// promise thirty seconds, AWS two minutes.
	shortestNotice = 30 * time.Second
)

// watch joins the orders of the owner of the host with those that a cloud's notice
// makes: this machine is about to be taken away.
func watch(ctx context.Context, record instance.Record, orders <-chan supervise.Order, log *slog.Logger) <-chan supervise.Order {
	if record.Preemption == "" || record.Preemption == PreemptionOff {
		return orders
	}
	joined := make(chan supervise.Order)
	notices := make(chan metadata.Notice, 1)
	go func() {
		cloud, found := metadata.Cloud(record.Preemption), true
		if record.Preemption == PreemptionAuto {
			cloud, found = metadata.Detect(ctx)
		}
		if !found {
			log.Info("no cloud that gives notice of preemption was found")
			return
		}
		log.Info("watching for notice of preemption", "cloud", string(cloud))
		if notice, err := metadata.Await(ctx, cloud, log); err == nil {
			notices <- notice
		}
	}()
	go func() {
		for {
			var order supervise.Order
			select {
			case <-ctx.Done():
				return
			case order = <-orders:
			case notice := <-notices:
				log.Warn("this machine is about to go", "cloud", string(notice.Cloud), "reason", notice.Reason, "at", notice.At)
				at := notice.At
				if at.IsZero() {
					at = time.Now().Add(shortestNotice)
				}
				order = supervise.Order{Kind: supervise.Preempt, Reason: notice.Reason, Deadline: at.Add(-preemptionReserve)}
			}
			select {
			case <-ctx.Done():
				return
			case joined <- order:
			}
		}
	}()
	return joined
}
