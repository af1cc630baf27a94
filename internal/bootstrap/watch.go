package bootstrap

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

// preemptionReserve is what is left of a notice for taking the runner away from
// GitHub, and for the host to end.
const preemptionReserve = stopTimeout + 15*time.Second

// watch joins the orders of the owner of the host with those that a cloud's notice
// makes: this machine is about to be taken away.
func (h *Host) watch(ctx context.Context, record instance.Record, orders <-chan supervise.Order, log *slog.Logger) <-chan supervise.Order {
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
				order = supervise.Order{Kind: supervise.Preempt, Reason: notice.Reason}
				if !notice.At.IsZero() {
					order.Deadline = notice.At.Add(-preemptionReserve)
				}
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
