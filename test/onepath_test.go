//go:build linux

package test

import (
	"context"
	"slices"
	"testing"
	"time"

	"fathom/test/crowd"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
)

// These tests show that a tunnel with one path sends what it sent before there were
// challenges, and no more, at rest and with data.

// traceFor is how long each stretch lasts at full size.
const traceFor = time.Minute

// rest waits for a minute, or in short until the tunnel has asked whether its peer lives.
func (tr *trace) rest(t *testing.T) {
	t.Helper()
	began := time.Now()
	if tier.Full() {
		time.Sleep(traceFor)
	}
	// A probe of the PLPMTU asks in place of an echo, and either end's is a sign of life.
	for deadline := began.Add(within); ; time.Sleep(100 * time.Millisecond) {
		seen := during(tr.read(t), began, time.Now())
		for end := range 2 {
			if len(of(seen, end, "echo"))+len(of(seen, end, "probe")) > 0 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no echo")
		}
	}
}

// TestOnePathSendsWhatItSentBefore, between two gateways of this version: at rest probes of
// the PLPMTU, which ask in place of echoes, and their acks; with a transfer in one direction report requests and reports.
func TestOnePathSendsWhatItSentBefore(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	const delay, rate = 30 * time.Millisecond, 1 << 20
	l := newUserPair(t, debugKeys, delay)
	tr := &trace{captures: [2]*netlab.Capture{labtest.Capture(t, l.link.A), labtest.Capture(t, l.link.B)}, keys: keysOf(l.a)}
	up(t, l.a, l.b)
	exact(t, l.a, netlab.EthernetMTU)
	exact(t, l.b, netlab.EthernetMTU)

	idle := time.Now()
	tr.rest(t)

	busy := time.Now()
	client, server := connectWithin(t, l.A, l.B, innerB4, 64<<10)
	x := transferOver(t, paced{client, rate}, server)
	x.more(2 * rate)
	for tier.Full() && time.Since(busy) < traceFor {
		x.more(rate / 10)
	}
	end := time.Now()
	x.stop()
	all := tr.answered(t)

	for sender := range 2 {
		judgeTrace(t, "idle", all, during(all, idle, busy), sender, 2*delay, "echo", "echo reply", "probe", "probe ack")
		judgeTrace(t, "busy", all, during(all, busy, end), sender, 2*delay, "echo", "echo reply", "probe", "probe ack", kindData, "report request", "report")
	}
	atRest, requests := during(all, idle, busy), of(during(all, busy, end), 0, "report request")
	tier.Figure(t, "one path, RTT %v: %d questions in %v of rest, %d report requests in %v with a transfer at %d KiB/s",
		2*delay, len(of(atRest, 0, "echo"))+len(of(atRest, 1, "echo"))+len(of(atRest, 0, "probe"))+len(of(atRest, 1, "probe")), busy.Sub(idle).Round(time.Second),
		len(requests), end.Sub(busy).Round(time.Second), rate>>10)
	if len(requests) == 0 {
		t.Error("no report was requested: this shows nothing")
	}
}

// TestAPeerWithoutChallengesIsSentTheSame: the trace of a gateway is the same, kinds and
// sizes, whether its peer knows challenges or is of a version before them.
func TestAPeerWithoutChallengesIsSentTheSame(t *testing.T) {
	tier.Select(t, tier.Long, tier.EitherWay)
	t.Parallel() // it waits for most of the time

	sizes := make(map[string]map[string][]int) // by peer, then kind
	for _, peer := range []string{"this version", "an older version"} {
		t.Run(peer, func(t *testing.T) {
			lab := labtest.New(t)
			at, beside := crowd.Hosts(lab)
			hub := newGateway(t, at, crowd.HubInner)
			tr := &trace{captures: [2]*netlab.Capture{labtest.Capture(t, at.Interface("eth0")), labtest.Capture(t, beside.Interface("eth0"))}, keys: keysOf(hub)}
			var inner string
			if peer == "this version" {
				far := newGateway(t, beside, "10.77.1.0/32")
				inner = "10.77.1.0"
				check(t, hub.Configure(debugKeys, gateway.Peer{Gateway: far}))
				check(t, far.Configure("rekey_after = \"60m\"", gateway.Peer{Gateway: hub, Endpoint: crowd.HubOuter.String()}))
				up(t, hub, far)
				exact(t, far, netlab.EthernetMTU)
				listener, err := beside.ListenPacket("udp", inner+discard) // so that nothing answers
				check(t, err)
				t.Cleanup(func() { listener.Close() })
			} else {
				c, err := crowd.New(beside, 1)
				check(t, err)
				inner = c.Peers()[0].Inner[0].Addr().String()
				check(t, hub.Configure(debugKeys, c.Peers()...))
				check(t, hub.Start())
				check(t, c.Join(hub.Public, crowd.HubOuter))
				t.Cleanup(c.Close)
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				check(t, c.Await(ctx))
				await(t, hub, gateway.Established)
			}
			exact(t, hub, netlab.EthernetMTU)

			idle := time.Now()
			tr.rest(t)
			busy := time.Now()
			sendPaced(t, tr, at, inner, busy)
			end := time.Now()
			all := tr.answered(t)

			judgeTrace(t, "idle", all, during(all, idle, busy), 0, 0, "echo", "echo reply", "probe", "probe ack")
			judgeTrace(t, "busy", all, during(all, busy, end), 0, 0, "echo", "echo reply", "probe", "probe ack", kindData, "report request")
			sizes[peer] = sizesOf(during(all, idle, end), 0, "echo", "report request", kindData)
		})
	}
	a, b := sizes["this version"], sizes["an older version"]
	for _, kind := range []string{"echo", "report request", kindData} {
		// Which end asks the other at rest is chance.
		if asked := len(a[kind]) > 0 && len(b[kind]) > 0; (asked || kind != "echo") && !slices.Equal(a[kind], b[kind]) {
			t.Errorf("%s: packets of %v bytes, want as to an older version: %v", kind, a[kind], b[kind])
		}
	}
}

// discard is the port of the discard protocol (RFC 863).
const discard = ":9"

// sendPaced sends datagrams in one direction, which nobody answers, for a minute, or in
// short until reports have been requested.
func sendPaced(t *testing.T, tr *trace, from *netlab.Host, to string, began time.Time) {
	t.Helper()
	conn, err := from.Dial("udp", to+discard)
	check(t, err)
	defer conn.Close()
	const size, interval, enough = 1000, 5 * time.Millisecond, 20
	for deadline := began.Add(within); ; {
		for range 100 {
			_, err := conn.Write(make([]byte, size))
			check(t, err)
			time.Sleep(interval)
		}
		if tier.Full() && time.Since(began) < traceFor {
			continue
		}
		if len(of(during(tr.read(t), began, time.Now()), 0, "report request")) >= enough {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("too few report requests")
		}
	}
}

// sizesOf returns the sizes of what an end has sent of some kinds, each once.
func sizesOf(list []traced, sender int, kinds ...string) map[string][]int {
	sizes := make(map[string][]int)
	for _, kind := range kinds {
		for _, p := range of(list, sender, kind) {
			if !slices.Contains(sizes[kind], p.size) {
				sizes[kind] = append(sizes[kind], p.size)
			}
		}
		slices.Sort(sizes[kind])
	}
	return sizes
}
