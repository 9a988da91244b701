package status

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fathom/tunnel/history"
)

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// sampleStatus has every field set, and a second peer as it is at the start.
func sampleStatus() *Status {
	started := time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC)
	rtt, last := 12.345, time.Date(2026, 1, 3, 5, 4, 43, 123456789, time.UTC)
	hops := sampleHops()
	eth := PathEnds{Interface: "eth0", Local: "192.0.2.1", Remote: "192.0.2.2:4500"}
	heard := PathEnds{Local: "192.0.2.1", Remote: "[2001:db8::2]:4500"}
	return &Status{
		Schema: StatusSchema,
		Name:   "fathom0", Version: "v1.2.3", PublicKey: "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
		Listen: []string{"0.0.0.0:4500", "[::]:4500"}, Absent: true, Addresses: prefixes("10.77.0.1/24", "fd77::1/64"),
		MTU: 1438, Started: started, FwMark: 4500, Table: 4501,
		Offload: Offload{Queues: 2, DeviceTCP: true, DeviceUDP: true, UDPSegment: true, UDPGRO: true, ReceiveBuffer: 4 << 20, SendBuffer: 256 << 10}, AESGCM: "vaes-512",
		Host:     Host{Repaired: map[string]uint64{"route": 2, "device": 1}, Contested: []string{"route 10.9.0.0/16"}, Displaced: []string{"10.8.0.0/16 dev eth0"}},
		Dropped:  map[string]uint64{"no_route": 3, "busy": 1},
		Stranger: &Stranger{PublicKey: "sTZw3hL6RdKxYy3lfjMg6AOGSmRUL+7GqcJVzxnkFQ4=", From: "203.0.113.9:4500", At: last, Count: 3},
		Peers: []Peer{
			{
				Name: "storage", PublicKey: "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=", Endpoint: "192.0.2.2:4500",
				AllowedIPs: prefixes("10.77.0.2/32", "fd77::2/128"),
				State:      PeerEstablished, Problem: "route to 192.0.2.2: network is unreachable", Advice: "choose another port",
				Attempt: &Attempt{Endpoint: "192.0.2.2:4500", Number: 7, Next: &last, Reason: ReasonNoAnswer, Detail: "no answer from 192.0.2.2:4500"},
				PMTUD: PMTUD{State: "search_complete", PLPMTU: 1480, InnerMTU: 1418, HostMTU: 1438, EgressMTU: 1500, Source: "discovery", LossPercent: 0.25, FalseAlarms: 3, ClearsDF: true,
					Counts: PMTUDCounts{Probes: 40, Acked: 31, BlackHoles: 2, PTBsBelieved: 1, PTBsRefused: 7},
					History: []PLPMTUChange{
						{At: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC), To: 1228, Cause: "start"},
						{At: time.Date(2026, 1, 2, 3, 4, 7, 500000000, time.UTC), From: 1228, To: 1480, Cause: "probe"},
					}},
				Hops: &MeasuredHops{Forth: hops.Forth, Back: hops.Back, BackProblem: hops.BackProblem},
				Paths: []Path{
					{PathEnds: eth, State: PathProved, RTTMillis: &rtt, PLPMTU: 1480, InUse: true, Since: &last, Offered: true},
					{PathEnds: heard, State: PathTried},
				},
				PathHistory: []PathMove{
					{At: started, To: heard, Cause: "start"},
					{At: last, From: &heard, To: eth, Cause: "silent"},
				},
				Decider: DeciderThisEnd,
				Cipher:  "aes-256-gcm", SendSPI: 0x1a2b3c4d, ReceiveSPI: 255, RTTMillis: &rtt,
				RxBytes: 5 << 30, TxBytes: 999, RxPackets: 4_000_000, TxPackets: 1, Handshakes: 781, LastHandshake: &last, OwnKey: "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
				Dropped: map[string]uint64{"replay": 2, "auth": 1},
				Surgery: Surgery{TCPCut: 1, Fragmented: 2, TunnelFragments: 3, Reassembled: 4, PTBs: 5, MSSClamped: 6},
			},
			{
				Name: "laptop", PublicKey: "sTZw3hL6RdKxYy3lfjMg6AOGSmRUL+7GqcJVzxnkFQ4=", AllowedIPs: []netip.Prefix{}, State: PeerIdle,
				PMTUD: PMTUD{State: "disabled", Source: "egress", History: []PLPMTUChange{}}, Dropped: map[string]uint64{},
				Paths: []Path{}, PathHistory: []PathMove{}, Decider: DeciderNone,
			},
		},
	}
}

func sampleProbe() *ProbeReport {
	return &ProbeReport{
		Schema: ProbeSchema,
		Peer:   "storage", Endpoint: "192.0.2.2:4500", EgressMTU: 1500, PLPMTU: 1400, InnerMTU: 1338, State: "search_complete", Exact: true, Fans: 2,
		RTTMillis: 20, TookMillis: 61.5, ClearsDF: true, RoundTrips: 3.075, ExactMillis: 20.5,
		Probes: []ProbeResult{{Fan: 1, Size: 1500, Outcome: "lost"}, {Fan: 1, Size: 1400, Outcome: "acked", AfterMillis: 20.5}},
	}
}

func sampleHistory() *History {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC)
	return &History{
		Schema: HistorySchema, Name: "fathom0", Running: true, From: at.Add(-time.Hour), To: at.Add(time.Hour), Peers: []string{"storage"},
		Records: []history.Record{
			{At: at, Kind: history.Started, Version: "v1.2.3"},
			{At: at, Peer: "storage", Kind: history.Flow, Lasted: history.Seconds(time.Minute), Traffic: &history.Traffic{
				TxBytes: 1, RxBytes: 2, TxPackets: 3, RxPackets: 4, PLPMTU: 1500, LossPercent: 0.25, RTTMillis: 20.5, Handshakes: 5, Omitted: 6}},
			{At: at, Peer: "storage", Kind: history.Resized, From: 1500, To: 1400, Cause: "black hole", Lasted: history.Seconds(62 * time.Millisecond)},
			{At: at, Peer: "storage", Kind: history.Moved, Endpoint: "192.0.2.2:4500", Interface: "wwan0", Cause: "silent"},
		},
	}
}

func sampleFailure() *Failure {
	return &Failure{Schema: ErrorSchema, Error: "no tunnel is running", Hint: "start it", ExitCode: 4}
}

func sampleDiagnosis() *Diagnosis {
	return &Diagnosis{Schema: DoctorSchema, Name: "fathom0", Running: true,
		Findings:   []Finding{{Code: FindingClock, Peer: "storage", What: "the clock of storage is 1h0m0s ahead of this host's", Remedy: "set it"}},
		Unexamined: []Unexamined{{What: "the firewall", Why: "it takes CAP_NET_ADMIN: run as root"}}}
}

func sampleFacts() *FactsReport {
	at := time.Date(2026, 7, 29, 12, 0, 0, 0, time.UTC)
	return &FactsReport{Peer: "storage", Clock: at, Asked: at, Answered: at.Add(time.Second), SeenAt: netip.MustParseAddrPort("192.0.2.1:4500"), PLPMTU: 1400, Settled: true, ClearsDF: true,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24")}, AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/32")}, Truncated: true}
}

func sampleHops() *HopsReport {
	rtt, before := 0.25, 2
	forth := &HopsWay{At: time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC), From: "192.0.2.1", To: "192.0.2.2", Reached: true, Complete: true, ClearsDF: true, Fans: 4, Probes: 40, TookMillis: 401.5,
		Hops: []Hop{
			{Address: "192.0.2.1", Size: 1500, Tells: true, Told: 1400},
			{Hop: 1},
			{Hop: 2, Address: "192.0.2.2", Name: "storage.example.org", Peer: true, Far: true, RTTMillis: &rtt, Size: 1400, Fails: 1404},
		},
		Places: []HopPlace{{After: 0, Before: &before, Passes: 1400, Fails: 1404}, {After: 1}}}
	back := *forth
	back.From, back.To = forth.To, forth.From
	return &HopsReport{Schema: HopsSchema, Peer: "storage", Forth: forth, Back: &back, BackProblem: "it cannot be asked"}
}

// TestDocumentsAreStable compares the documents with those that scripts and
// older clients know: names, order and values, byte for byte.
func TestDocumentsAreStable(t *testing.T) {
	for name, document := range map[string]any{"status.json": sampleStatus(), "probe.json": sampleProbe(), "hops.json": sampleHops(), "history.json": sampleHistory(), "error.json": sampleFailure(), "doctor.json": sampleDiagnosis()} {
		var got bytes.Buffer
		if err := json.NewEncoder(&got).Encode(document); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s:\ngot  %swant %s", name, &got, want)
		}
	}
}
