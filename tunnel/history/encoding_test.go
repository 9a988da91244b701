package history

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// samples has a record of every kind with every field that it has.
func samples() []Record {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	return []Record{
		{At: at, Kind: Started, Version: "v1.2.3"},
		{At: at, Kind: Stopped},
		{At: at, Kind: ClockSet, Lasted: -Seconds(time.Hour + time.Millisecond)},
		{At: at, Kind: Slept, Lasted: Seconds(8 * time.Hour)},
		{At: at, Peer: "storage", Kind: Flow, Lasted: Seconds(time.Minute), Traffic: &Traffic{
			TxBytes: 1 << 40, RxBytes: math.MaxUint64, TxPackets: 3, RxPackets: 4, PLPMTU: 65535, LossPercent: 12.34, RTTMillis: 0.123, Handshakes: 2, Omitted: 7}},
		{At: at, Peer: "storage", Kind: Resized, From: 1500, To: 1400, Cause: "black hole", Lasted: Seconds(62 * time.Millisecond)},
		{At: at, Peer: "storage", Kind: Established, Endpoint: "192.0.2.2:4500", Lasted: Seconds(95 * time.Second)},
		{At: at, Peer: "storage", Kind: Lost, Cause: "closed by peer"},
		{At: at, Peer: "storage", Kind: Silent},
		{At: at, Peer: "storage", Kind: Answers, Lasted: Seconds(7 * time.Second)},
		{At: at, Peer: "storage", Kind: Moved, Endpoint: "[2001:db8::2]:4500", Interface: "wwan0", Cause: "silent"},
		{At: time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC), Peer: strings.Repeat("n", 63), Kind: Silent},
	}
}

func encode(records []Record) (data []byte, ends []int) {
	for i := range records {
		data = Append(data, &records[i])
		ends = append(ends, len(data))
	}
	return data, ends
}

func decode(data []byte) (records []Record, damaged int) {
	damaged = Decode(data, func(r *Record) bool { records = append(records, *r); return true })
	return records, damaged
}

func TestEveryKindIsReadAsItWasWritten(t *testing.T) {
	want := samples()
	kinds := make(map[Kind]bool)
	for _, r := range want {
		kinds[r.Kind] = true
	}
	if len(kinds) != len(kindNames)-1 {
		t.Errorf("the samples have %d kinds of %d", len(kinds), len(kindNames)-1)
	}
	data, _ := encode(want)
	got, damaged := decode(data)
	if diff := cmp.Diff(want, got); diff != "" || damaged != 0 {
		t.Errorf("%d bytes damaged; %s", damaged, diff)
	}
}

// TestTheFormatStays has the bytes of a record as they are in files.
func TestTheFormatStays(t *testing.T) {
	r := Record{At: time.UnixMilli(1767323045678).UTC(), Peer: "storage", Kind: Lost, Cause: "closed by peer"}
	const want = "f11e9ec58ac508dcbccccaef660773746f726167650e636c6f7365642062792070656572"
	if got := Append(nil, &r); hex.EncodeToString(got) != want {
		t.Errorf("%x, want %s", got, want)
	}
}

func TestATornRecordLosesNoOther(t *testing.T) {
	want := samples()
	data, ends := encode(want)
	for cut := range data {
		whole := 0
		for whole < len(ends) && ends[whole] <= cut {
			whole++
		}
		torn := append(bytes.Clone(data[:cut]), data...) // the next run appends to it
		got, _ := decode(torn)
		if diff := cmp.Diff(append(append([]Record{}, want[:whole]...), want...), got); diff != "" {
			t.Fatalf("cut at %d: %s", cut, diff)
		}
	}
}

// TestAnyDamageLosesWhatItHits changes each byte.
func TestAnyDamageLosesWhatItHits(t *testing.T) {
	want := samples()
	data, ends := encode(want)
	hit := 0
	for i := range data {
		if i == ends[hit] {
			hit++
		}
		bad := bytes.Clone(data)
		bad[i] ^= 0x41
		got, damaged := decode(bad)
		rest := append(append([]Record{}, want[:hit]...), want[hit+1:]...)
		if diff := cmp.Diff(rest, got); diff != "" || damaged == 0 {
			t.Fatalf("byte %d of record %d: %d damaged; %s", i, hit, damaged, diff)
		}
	}
}

func TestOlderAndNewerWriters(t *testing.T) {
	at := time.UnixMilli(1000).UTC()
	frame := func(payload ...byte) []byte {
		f := append([]byte{magic, byte(len(payload)), 0, 0, 0, 0}, payload...)
		sum := checksum(f)
		f[2], f[3], f[4], f[5] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		return f
	}
	data := frame(byte(Answers), 0xd0, 0x0f, 1, 'b')                                // without a duration
	data = append(data, frame(byte(Silent), 0xd0, 0x0f, 1, 'b', 1, 2, 3)...)        // with more
	data = append(data, frame(200, 0xd0, 0x0f, 1, 'b')...)                          // of an unknown kind
	data = append(data, frame(byte(Lost), 0xd0, 0x0f, 9, 'b')...)                   // a string that is too long
	data = append(data, frame(byte(Lost), 0xd0, 0x0f, 1, 'b', 1, 0xff)...)          // or is not text
	data = append(data, frame(byte(Resized), 0xd0, 0x0f, 1, 'b', 255, 255, 255)...) // a number without an end
	data = append(data, frame(byte(Silent), 0xd0, 0x0f, 1, 'c')...)
	got, damaged := decode(data)
	want := []Record{{At: at, Peer: "b", Kind: Answers}, {At: at, Peer: "b", Kind: Silent}, {At: at, Peer: "c", Kind: Silent}}
	if diff := cmp.Diff(want, got); diff != "" || damaged != 0 {
		t.Errorf("%d damaged: %s", damaged, diff)
	}
}

func TestLongStringsAreCut(t *testing.T) {
	long := strings.Repeat("ä", 300)
	for _, r := range samples() {
		r.Peer, r.Cause, r.Endpoint, r.Interface, r.Version = long, long, long, long, long
		data := Append(nil, &r)
		got, damaged := decode(data)
		if len(got) != 1 || damaged != 0 || len(data) > MaxFrame || !strings.HasPrefix(long, got[0].Peer) || len(got[0].Peer) == 0 {
			t.Errorf("%v: %d bytes, %v", r.Kind, len(data), got)
		}
	}
	if got := Append(nil, &Record{Kind: Silent, Peer: "\xff" + long}); len(got) > MaxFrame {
		t.Error(len(got))
	}
}

// FuzzDecode: whatever a file holds, its records can be shown, and written again.
func FuzzDecode(f *testing.F) {
	data, _ := encode(samples())
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add(Append(nil, &Record{Kind: Lost, Peer: "storage", Cause: "\x1b]0;title\a"}))
	f.Add([]byte{magic, 255, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range [][]byte{data, reframed(data)} {
			records, damaged := decode(d)
			if damaged > len(d) {
				t.Fatal(damaged)
			}
			for _, r := range records {
				if y := r.At.Year(); y < -9999 || y > 9999 {
					t.Fatal(y)
				}
				for _, s := range []string{r.Peer, r.Cause, r.Endpoint, r.Interface, r.Version} {
					if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
						t.Fatalf("%q", s)
					}
				}
				again, _ := decode(Append(nil, &r))
				if len(again) != 1 || len(r.Peer) <= maxName && len(r.Cause+r.Endpoint+r.Interface+r.Version) <= maxText && !cmp.Equal(again[0], r) {
					t.Fatalf("%+v\n%+v", r, again)
				}
			}
			to := time.UnixMilli(1767323045678)
			kept, from := Query{From: to.Add(-24 * time.Hour), AtMost: 100}.Select(to, d)
			for _, r := range kept {
				if r.End().After(to) {
					t.Fatalf("%v is yet to come", r)
				}
				Timeline(kept, r.Peer, from, to, 80, true)
			}
		}
	})
}

// reframed takes data for payloads, so that the fuzzer gets behind the checksum.
func reframed(data []byte) (framed []byte) {
	for len(data) > 0 {
		n := min(int(data[0])+1, len(data))
		f := append([]byte{magic, byte(min(n, maxPayload)), 0, 0, 0, 0}, data[:min(n, maxPayload)]...)
		sum := checksum(f)
		f[2], f[3], f[4], f[5] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		framed = append(framed, f...)
		data = data[n:]
	}
	return framed
}
