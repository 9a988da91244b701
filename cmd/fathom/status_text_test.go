package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fathom/tunnel/status"
)

var (
	testStarted = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	testNow     = testStarted.Add(26*time.Hour + 61*time.Second)
)

func testStatus() *status.Status {
	rtt, last := 12.345, testNow.Add(-83*time.Second)
	return &status.Status{
		Name:      "fathom0",
		PublicKey: "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
		Listen:    []string{"0.0.0.0:4500", "[::]:4500"},
		Absent:    true,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("fd77::1/64")},
		MTU:       1438,
		Started:   testStarted,
		FwMark:    4500,
		Table:     4501,
		Offload:   status.Offload{Queues: 2, DeviceTCP: true, UDPSegment: true, UDPGRO: true, ReceiveBuffer: 4 << 20, SendBuffer: 256 << 10},
		Host: status.Host{
			Repaired:  map[string]uint64{"route": 12, "address": 1},
			Contested: []string{"route 10.9.0.0/16"},
			Displaced: []string{"10.8.0.0/16 via 192.0.2.1 dev eth0"},
		},
		Dropped: map[string]uint64{"no_route": 3, "auth": 1},
		Peers: []status.Peer{
			{
				Name:       "storage",
				PublicKey:  "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=",
				Endpoint:   "192.0.2.2:4500",
				AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/32"), netip.MustParsePrefix("10.9.0.0/16")},
				State:      status.PeerEstablished,
				PMTUD: status.PMTUD{State: "search_complete", PLPMTU: 1480, InnerMTU: 1418, EgressMTU: 1500, Source: "discovery", LossPercent: 0.25,
					ClearsDF: true, History: []status.PLPMTUChange{
						{At: testNow.Add(-time.Hour), From: 0, To: 1228, Cause: "start"},
						{At: testNow.Add(-time.Minute), From: 1228, To: 1480, Cause: "probe"},
					}},
				Cipher:     "aes-256-gcm",
				SendSPI:    0x1a2b3c4d,
				ReceiveSPI: 0xff,
				RTTMillis:  &rtt,
				RxBytes:    5 << 30, RxPackets: 4_000_000,
				TxBytes: 999, TxPackets: 1,
				Handshakes:    781,
				LastHandshake: &last,
				Dropped:       map[string]uint64{"replay": 2},
				Surgery:       status.Surgery{TCPCut: 7, PTBs: 1},
			},
			{
				Name:       "laptop",
				PublicKey:  "sTZw3hL6RdKxYy3lfjMg6AOGSmRUL+7GqcJVzxnkFQ4=",
				AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.77.0.3/32")},
				State:      status.PeerNoRoute,
				Problem:    "route to 192.0.2.3: network is unreachable",
				Decider:    status.DeciderNone,
			},
			multihomed(),
		},
	}
}

// multihomed can be reached by four pairs.
func multihomed() status.Peer {
	wired, slow := 18.24, 61.0
	since := testNow.Add(-3 * time.Hour)
	ends := func(name, local, remote string) status.PathEnds {
		return status.PathEnds{Interface: name, Local: local, Remote: remote}
	}
	eth, wwan := ends("eth0", "192.0.2.1", "203.0.113.9:4500"), ends("wwan0", "10.1.2.3", "203.0.113.9:4500")
	p := status.Peer{
		Name: "office", PublicKey: "sTZw3hL6RdKxYy3lfjMg6AOGSmRUL+7GqcJVzxnkFQ4=", State: status.PeerEstablished, Decider: status.DeciderThisEnd,
		AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.77.0.4/32")},
		Paths: []status.Path{
			{PathEnds: eth, State: status.PathProved, RTTMillis: &wired, PLPMTU: 1500, InUse: true, Since: &since, Offered: true},
			{PathEnds: wwan, State: status.PathStale, RTTMillis: &slow, PLPMTU: 1358, Offered: true},
			{PathEnds: ends("", "", "[2001:db8::9]:4500"), State: status.PathFailed, Offered: true},
			{PathEnds: ends("eth0", "192.0.2.1", "198.51.100.7:1024"), State: status.PathTried},
		},
		PathHistory: []status.PathMove{
			{At: testNow.Add(-26 * time.Hour), To: eth, Cause: "start"},
			{At: testNow.Add(-25 * time.Hour), From: &eth, To: wwan, Cause: "silent"},
			{At: testNow.Add(-24 * time.Hour), From: &wwan, To: eth, Cause: "preferred"},
		},
	}
	return p
}

// TestOnePairHasNoLines unless it has failed.
func TestOnePairHasNoLines(t *testing.T) {
	for _, test := range []struct {
		state status.PathState
		lines bool
	}{{status.PathProved, false}, {status.PathStale, false}, {status.PathTried, false}, {status.PathFailed, true}} {
		s := &status.Status{Peers: []status.Peer{multihomed()}}
		s.Peers[0].Paths = s.Peers[0].Paths[:1]
		s.Peers[0].Paths[0].State = test.state
		text := statusText(s, testNow)
		for _, word := range []string{"paths:", "decider:", "path change:"} {
			if strings.Contains(text, word) != test.lines {
				t.Errorf("one pair that is %s: %q is in the text: %v\n%s", test.state, word, !test.lines, text)
			}
		}
	}
}

func TestStatusText(t *testing.T) {
	const want = `tunnel: fathom0
  public key: hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
  listening: 0.0.0.0:4500, [::]:4500
  warning: the host does not have that address: no packet comes or goes
  addresses: 10.77.0.1/24, fd77::1/64
  mtu: 1438
  default route: table 4501, all packets but those with mark 0x1194
  offload: without udp superpackets; 2 queues, socket buffers of 4 MiB to receive and 256 KiB to send
  running for: 1 day 2 hours
  dropped: auth 1, no_route 3
  put right: address 1, route 12
  warning: another program keeps changing this: route 10.9.0.0/16
  warning: not in the tunnel, another program's route: 10.8.0.0/16 via 192.0.2.1 dev eth0

peer: storage
  state: established
  public key: 3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=
  endpoint: 192.0.2.2:4500
  allowed ips: 10.77.0.2/32, 10.9.0.0/16
  latest handshake: 1 minute 23 seconds ago (781 so far)
  cipher: aes-256-gcm, spi 0x1a2b3c4d out, 0x000000ff in
  plpmtu: 1480 bytes, inner mtu 1418, egress mtu 1500
  plpmtu discovery: search complete
  warning: something on the path clears DF: probes arrive in fragments and are not counted
  plpmtu change: 1 hour ago from 0 to 1228: start
  plpmtu change: 1 minute ago from 1228 to 1480: probe
  rtt: 12.3 ms, 0.2 % loss
  transfer: 5 GiB received (4000000 packets), 999 B sent (1 packet)
  made to fit: 7 TCP cut, 1 answered with a PTB
  dropped: replay 2

peer: laptop
  state: no route
  warning: route to 192.0.2.3: network is unreachable
  public key: sTZw3hL6RdKxYy3lfjMg6AOGSmRUL+7GqcJVzxnkFQ4=
  allowed ips: 10.77.0.3/32
  transfer: 0 B received (0 packets), 0 B sent (0 packets)

peer: office
  state: established
  public key: sTZw3hL6RdKxYy3lfjMg6AOGSmRUL+7GqcJVzxnkFQ4=
  allowed ips: 10.77.0.4/32
  paths: * eth0 192.0.2.1 > 203.0.113.9:4500   proved, 18.2 ms, plpmtu 1500, in use for 3 hours
           wwan0 10.1.2.3 > 203.0.113.9:4500   stale, 61.0 ms, plpmtu 1358
           - - > [2001:db8::9]:4500            failed
           eth0 192.0.2.1 > 198.51.100.7:1024  tried, heard
  decider: this end
  path change: 1 day 2 hours ago to eth0 192.0.2.1 > 203.0.113.9:4500: start
  path change: 1 day 1 hour ago from eth0 192.0.2.1 > 203.0.113.9:4500 to wwan0 10.1.2.3 > 203.0.113.9:4500: silent
  path change: 1 day ago from wwan0 10.1.2.3 > 203.0.113.9:4500 to eth0 192.0.2.1 > 203.0.113.9:4500: preferred
  transfer: 0 B received (0 packets), 0 B sent (0 packets)
`
	if diff := cmp.Diff(want, statusText(testStatus(), testNow)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAge(t *testing.T) {
	for _, test := range []struct {
		seconds int
		want    string
	}{
		{-5, "0 seconds"},
		{0, "0 seconds"},
		{1, "1 second"},
		{59, "59 seconds"},
		{60, "1 minute"},
		{61, "1 minute 1 second"},
		{3600, "1 hour"},
		{3601, "1 hour"},
		{2*86400 + 59, "2 days"},
		{2*86400 + 3*3600 + 59, "2 days 3 hours"},
	} {
		if got := age(testNow.Add(time.Duration(test.seconds)*time.Second), testNow); got != test.want {
			t.Errorf("%d seconds: %q, want %q", test.seconds, got, test.want)
		}
	}
}
