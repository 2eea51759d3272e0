package main

import (
	"context"
	"fmt"
	"time"

	"github.com/getevo/rmds-router/router/admin"
	"github.com/getevo/rmds-router/test/internal/node"
)

// glimpse is the progress that can be seen from outside. While a router is down, its part stays as it was.
type glimpse struct {
	lines, telemetry admin.Account // the edge's, for the hub
	alerts           admin.Account // the hub's own
	fresh            bool          // both routers answered
}

func (g glimpse) pending() int64 { return g.lines.Pending + g.telemetry.Pending }

func (g glimpse) String() string {
	return fmt.Sprintf("lines: %d accepted, %d handled, %d pending; alerts: %d accepted, %d pending",
		g.lines.Accepted, g.lines.Handled, g.lines.Pending, g.alerts.Accepted, g.alerts.Pending)
}

// look asks both routers.
func (d *driver) look(ctx context.Context) glimpse {
	g := d.last
	edge, edgeErr := d.cluster.edge.Status(ctx)
	if edgeErr == nil {
		g.lines, _ = node.Account(edge, linesChannel, hubName)
		g.telemetry, _ = node.Account(edge, telemetryChannel, hubName)
	}
	hub, hubErr := d.cluster.hub.Status(ctx)
	if hubErr == nil {
		g.alerts, _ = node.Account(hub, alertsChannel, hubName)
	}
	g.fresh = edgeErr == nil && hubErr == nil
	if g.lines != d.last.lines || g.alerts != d.last.alerts {
		d.moved = time.Now()
	}
	d.last = g
	return g
}

// watch asks, shows, and kills, until every kill is done and nothing is waiting any more.
func (d *driver) watch(ctx context.Context) error {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s; kills still to come: %d", d.last, len(d.points))
		case <-ticker.C:
		}
		if err := d.cluster.fault(); err != nil {
			return err
		}
		g := d.look(ctx)
		d.screen.show(g, d.kills, time.Since(d.begun))
		if len(d.points) > 0 {
			if p := d.points[0]; g.fresh && g.lines.Handled >= p.handled && g.pending() >= minUnacked {
				if err := d.strike(ctx, p.node, g.pending()); err != nil {
					return err
				}
				d.points = d.points[1:]
			}
			continue
		}
		drained := g.fresh && g.lines.Accepted >= d.source.kept && g.lines.Pending == 0 && g.alerts.Pending == 0
		if len(d.grown) == 1 && (drained || time.Since(d.moved) > stuck) {
			return nil
		}
	}
}

// strike kills a router and starts it again a moment later.
func (d *driver) strike(ctx context.Context, name string, unacked int64) error {
	victim := d.cluster.hub
	if name == edgeName {
		victim = d.cluster.edge
	}
	if err := victim.Kill(); err != nil {
		return err
	}
	k := kill{node: name, at: time.Since(d.begun), unacked: unacked, down: 100*time.Millisecond + time.Duration(d.random.Int64N(int64(700*time.Millisecond)))}
	d.kills = append(d.kills, k)
	d.screen.note(fmt.Sprintf("%5.1f s  SIGKILL for the %s with %d messages unacknowledged; back in %d ms", k.at.Seconds(), name, unacked, k.down.Milliseconds()))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(k.down):
	}
	return victim.Start()
}
