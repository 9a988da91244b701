//go:build linux

package main

import (
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// TestRivalsFillThePath: their packets are exactly as long as it carries.
func TestRivalsFillThePath(t *testing.T) {
	for _, c := range []struct {
		outer     string
		mtu, want int
	}{{"10.1.0.2", 1500, 1440}, {"fd01::2", 1500, 1420}, {"10.1.0.2", 9000, 8940}} {
		at := place{outerB: c.outer, mtu: c.mtu}
		if got := at.mtuInside(rivalOverhead); got != c.want {
			t.Errorf("%s, %d bytes: %d inside, want %d", c.outer, c.mtu, got, c.want)
		}
	}
}

// TestLoadsCarry: those of this program's own making, over bare cables.
func TestLoadsCarry(t *testing.T) {
	at := twoCables(labtest.New(t, netlab.Namespaces))
	v, err := noTunnel.start(at, programs{})
	if err != nil {
		t.Fatal(err)
	}
	for name, measure := range map[string]func(*variant, time.Duration) ([]float64, error){
		"streams": manyStreams(3), "two clients": fromBothClients, "connections": shortConnections.measure, "round trips": roundTrips,
	} {
		// Where the machine has no time for it, nothing may arrive in a moment.
		for length := 50 * time.Millisecond; ; length *= 2 {
			figures, err := measure(v, length)
			if err == nil && figures[0] > 0 {
				break
			}
			if length > patience {
				t.Errorf("%s: %v, %v", name, figures, err)
				break
			}
		}
	}
}

// TestPathsHaveTheirMTU: contenders are told by it what fits.
func TestPathsHaveTheirMTU(t *testing.T) {
	lays := map[string]func(*netlab.Lab) *place{"cable": cable, "jumbo": jumboCable, "IPv6": cableOfIPv6, "long path": longPath}
	for name, want := range map[string]int{"cable": wideMTU, "jumbo": jumboMTU, "IPv6": wideMTU, "long path": wideMTU} {
		t.Run(name, func(t *testing.T) {
			at := lays[name](labtest.New(t, netlab.Namespaces, netlab.TUN))
			if at.mtu != want {
				t.Errorf("%d bytes, want %d", at.mtu, want)
			}
			if err := at.reaches(); err != nil {
				t.Error(err)
			}
		})
	}
}

// reaches sends a byte from a to b, outside.
func (p *place) reaches() error {
	server, err := p.b.ListenPacket("udp", endpoint(p.outerB, 0))
	if err != nil {
		return err
	}
	defer server.Close()
	conn, err := dial(p.a, "udp", server.LocalAddr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{1}); err != nil {
		return err
	}
	server.SetReadDeadline(time.Now().Add(patience))
	_, _, err = server.ReadFrom(make([]byte, 1))
	return err
}
