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

func sampleFacts() *Facts {
	return &Facts{Token: 1<<63 | 5, Part: 1, Parts: 2, Truncated: true, Clock: time.UnixMilli(1_790_000_000_123), Seen: netip.MustParseAddrPort("192.0.2.1:4500"),
		PLPMTU: 1400, Settled: true, ClearsDF: true,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fd77::2/64")},
		Allowed:   []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("fd77::1/128")}}
}

var sameFacts = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}, netip.AddrPort{})}

func TestFactsSurviveTheWire(t *testing.T) {
	for _, want := range []*Facts{sampleFacts(), {Token: 1, Parts: 1, Clock: time.UnixMilli(0)},
		{Token: 2, Parts: MaxFactsParts, Clock: time.UnixMilli(1), Seen: netip.MustParseAddrPort("[2001:db8::1]:65535")}} {
		got, err := only(t, AppendFactsReport(nil, want), FactsReport).Facts()
		if diff := cmp.Diff(want, &got, sameFacts); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

// TestFactsFitTheSmallestPath, however much there is to tell.
func TestFactsFitTheSmallestPath(t *testing.T) {
	f := Facts{Parts: 1, Clock: time.UnixMilli(0)}
	for range 2 * PrefixesAPart {
		f.Addresses = append(f.Addresses, netip.MustParsePrefix("2001:db8::1/64"))
	}
	f.Allowed = f.Addresses
	const room = 576 - 60 // of IPv4, with the headers around it
	if message := AppendFactsReport(nil, &f); len(message) > room {
		t.Errorf("%d bytes, and %d is the room", len(message), room)
	} else if got, err := only(t, message, FactsReport).Facts(); err != nil || len(got.Addresses) != PrefixesAPart || len(got.Allowed) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMalformedFacts(t *testing.T) {
	whole := func() []byte {
		return bytes.Clone(only(t, AppendFactsReport(nil, sampleFacts()), FactsReport).Value)
	}
	for _, test := range []struct {
		name   string
		change func(v []byte) []byte
	}{
		{"a prefix cut short", func(v []byte) []byte { return v[:len(v)-1] }},
		{"a prefix of nothing", func(v []byte) []byte { return v[:factsHeaderSize+1] }},
		{"a prefix too long", func(v []byte) []byte { v[factsHeaderSize+1] = 33; return v }},
		{"a part of none", func(v []byte) []byte { v[8] = 2; return v }},
		{"no parts", func(v []byte) []byte { v[8], v[9] = 0, 0; return v }},
		{"too many parts", func(v []byte) []byte { v[9] = MaxFactsParts + 1; return v }},
		{"too many prefixes", func(v []byte) []byte { return append(v[:factsHeaderSize], make([]byte, (PrefixesAPart+1)*6)...) }},
		{"a year that cannot be written", func(v []byte) []byte { v[13] = 0x7f; return v }},
		{"a year before all clocks", func(v []byte) []byte { v[13] = 0xff; return v }},
	} {
		if _, err := (Element{FactsReport, test.change(whole())}).Facts(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
	for _, length := range []int{0, factsHeaderSize - 1, factsHeaderSize + PrefixesAPart*maxPrefixSize + 1} {
		if _, err := Parse(nil, appendElement(appendHeader(nil), FactsReport, make([]byte, length))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: error %v", length, err)
		}
	}
}
