package control

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func sampleHops() *HopsResult {
	return &HopsResult{Token: 1<<63 | 5, State: HopsDone, Part: 1, Parts: 2, Reached: true, Complete: true, ClearsDF: true, Fans: 5, Probes: 60, Took: 1234 * time.Millisecond,
		Hops: []Hop{
			{Addr: netip.MustParseAddr("192.0.2.1"), RoundTrip: 1500 * time.Microsecond, Size: 1500, Tells: true, Told: 1400},
			{},
			{Addr: netip.MustParseAddr("2001:db8::1"), RoundTrip: time.Microsecond, Size: 1400, Fails: 1404},
			{Peer: true, Far: true, RoundTrip: time.Second, Size: 65535},
		}}
}

var sameAddr = cmpopts.EquateComparable(netip.Addr{})

func TestHopsReportSurvivesTheWire(t *testing.T) {
	for _, want := range []*HopsResult{sampleHops(), {Token: 1}, {Token: 2, State: HopsRefused}} {
		got, err := only(t, AppendHopsReport(nil, want), HopsReport).Hops()
		if diff := cmp.Diff(want, &got, sameAddr); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

// TestHopsReportFitsTheSmallestPath, however much there is to tell.
func TestHopsReportFitsTheSmallestPath(t *testing.T) {
	r := HopsResult{State: HopsDone, Parts: 1, Hops: make([]Hop, 2*HopsAPart)}
	for i := range r.Hops {
		r.Hops[i].Addr = netip.MustParseAddr("2001:db8::1")
	}
	const room = 576 - 60 // of IPv4, with the headers around it
	if message := AppendHopsReport(nil, &r); len(message) > room {
		t.Errorf("%d bytes, and %d is the room", len(message), room)
	} else if got, err := only(t, message, HopsReport).Hops(); err != nil || len(got.Hops) != HopsAPart {
		t.Errorf("%d hops, %v", len(got.Hops), err)
	}
}

func TestMalformedHopsReports(t *testing.T) {
	whole := func() []byte {
		return bytes.Clone(only(t, AppendHopsReport(nil, sampleHops()), HopsReport).Value)
	}
	for _, test := range []struct {
		name   string
		change func(v []byte) []byte
	}{
		{"a hop cut short", func(v []byte) []byte { return v[:len(v)-1] }},
		{"an address cut short", func(v []byte) []byte { return v[:hopsHeaderSize+hopHeaderSize+3] }},
		{"an address of both families", func(v []byte) []byte { v[hopsHeaderSize] |= flagIPv4 | flagIPv6; return v }},
		{"an unknown state", func(v []byte) []byte { v[8] = hopsStates; return v }},
		{"a part of none", func(v []byte) []byte { v[9] = 2; return v }},
		{"too many parts", func(v []byte) []byte { v[10] = MaxHopsParts + 1; return v }},
		{"too many hops", func(v []byte) []byte { return append(v[:hopsHeaderSize], make([]byte, (HopsAPart+1)*hopHeaderSize)...) }},
	} {
		if _, err := (Element{HopsReport, test.change(whole())}).Hops(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
	for _, length := range []int{0, hopsHeaderSize - 1, hopsHeaderSize + HopsAPart*(hopHeaderSize+16) + 1} {
		if _, err := Parse(nil, appendElement(appendHeader(nil), HopsReport, make([]byte, length))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: error %v", length, err)
		}
	}
}

// canonical clears the bits of a HopsReport that mean nothing.
func canonical(value []byte) []byte {
	v := bytes.Clone(value)
	v[11] &= flagReached | flagComplete | flagClearsDF
	for at := hopsHeaderSize; at < len(v); {
		v[at] &= flagIPv4 | flagIPv6 | flagPeer | flagFar | flagTells
		length := hopHeaderSize
		switch {
		case v[at]&flagIPv4 != 0:
			length += 4
		case v[at]&flagIPv6 != 0:
			length += 16
		}
		at += length
	}
	return v
}
