package control

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	header := appendHeader(nil)
	echo := AppendToken(nil, Echo, 0x0102030405060708)
	unknown := appendElement(bytes.Clone(header), 200, []byte("later"))
	tests := []struct {
		name    string
		payload []byte
		want    []Element
		err     error
	}{
		{"an empty payload is foreign", nil, nil, ErrForeign},
		{"another magic is foreign", []byte("XTH\x01"), nil, ErrForeign},
		{"another version is foreign", []byte("FTH\x02\x03\x00\x00"), nil, ErrForeign},
		{"a header alone says nothing", header, nil, nil},
		{"an echo", echo, []Element{{Echo, []byte{1, 2, 3, 4, 5, 6, 7, 8}}}, nil},
		{"an echo reply", AppendToken(nil, EchoReply, 1), []Element{{EchoReply, []byte{0, 0, 0, 0, 0, 0, 0, 1}}}, nil},
		{"close", AppendClose(nil), []Element{{Close, []byte{}}}, nil},
		{"a probe", AppendToken(nil, Probe, 2), []Element{{Probe, []byte{0, 0, 0, 0, 0, 0, 0, 2}}}, nil},
		{"an ack of a probe", AppendProbeAck(nil, 2, false), []Element{{ProbeAck, []byte{0, 0, 0, 0, 0, 0, 0, 2, 0}}}, nil},
		{"an ack of a probe in fragments", AppendProbeAck(nil, 2, true), []Element{{ProbeAck, []byte{0, 0, 0, 0, 0, 0, 0, 2, 1}}}, nil},
		{"a report request", AppendToken(nil, ReportRequest, 3), []Element{{ReportRequest, []byte{0, 0, 0, 0, 0, 0, 0, 3}}}, nil},
		{"a report", AppendReport(nil, 3, 0x01020304, 5, []uint64{6}),
			[]Element{{Report, []byte{0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6}}}, nil},
		{"a challenge", AppendPathChallenge(nil, 4, 5, true, false), []Element{{PathChallenge, []byte{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5, 1}}}, nil},
		{"a challenge of an end that hears nothing", AppendPathChallenge(nil, 4, 5, false, true), []Element{{PathChallenge, []byte{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5, 2}}}, nil},
		{"a response", AppendPathResponse(nil, 4, 5), []Element{{PathResponse, []byte{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5}}}, nil},
		{"a challenge without flags is malformed", appendElement(bytes.Clone(header), PathChallenge, make([]byte, 12)), nil, ErrMalformed},
		{"a response without a generation is malformed", appendElement(bytes.Clone(header), PathResponse, make([]byte, 8)), nil, ErrMalformed},
		{"the types before are not known", appendElement(bytes.Clone(header), PathChallenge-1, nil), nil, nil},
		{"a report with half a word is malformed", appendElement(bytes.Clone(header), Report, make([]byte, reportHeaderSize+4)), nil, ErrMalformed},
		{"a report without a header is malformed", appendElement(bytes.Clone(header), Report, make([]byte, 8)), nil, ErrMalformed},
		{"a report with too many words is malformed", appendElement(bytes.Clone(header), Report, make([]byte, reportHeaderSize+8*(MaxReportWords+1))), nil, ErrMalformed},
		{"an ack without flags is malformed", appendElement(bytes.Clone(header), ProbeAck, make([]byte, 8)), nil, ErrMalformed},
		{"a probe without a token is malformed", appendElement(bytes.Clone(header), Probe, nil), nil, ErrMalformed},
		{"zero bytes after the list are padding", append(bytes.Clone(echo), make([]byte, 900)...), []Element{{Echo, []byte{1, 2, 3, 4, 5, 6, 7, 8}}}, nil},
		{"anything after the end is padding", append(AppendClose(nil), 0, 1, 2, 3), []Element{{Close, []byte{}}}, nil},
		{"unknown types are skipped", appendElement(unknown, Close, nil), []Element{{Close, []byte{}}}, nil},
		{"an echo of the wrong length is malformed", appendElement(bytes.Clone(header), Echo, []byte{1}), nil, ErrMalformed},
		{"a close with a value is malformed", appendElement(bytes.Clone(header), Close, []byte{1}), nil, ErrMalformed},
		{"a cut length is malformed", append(bytes.Clone(header), 1, 0), nil, ErrMalformed},
		{"a length beyond the payload is malformed", append(bytes.Clone(header), 200, 0xff, 0xff, 1), nil, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(nil, tt.payload)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReportSurvivesTheWire(t *testing.T) {
	for _, words := range []int{0, 1, MaxReportWords, MaxReportWords + 1} {
		var bits []uint64
		for i := range words {
			bits = append(bits, uint64(i)<<56|uint64(i))
		}
		elements, err := Parse(nil, AppendReport(nil, 1<<63, 0xfedcba98, 1<<31, bits))
		if err != nil || len(elements) != 1 {
			t.Fatal(elements, err)
		}
		spi, highest, got := elements[0].Report(nil)
		want := bits[:min(words, MaxReportWords)]
		if spi != 0xfedcba98 || highest != 1<<31 || elements[0].Token() != 1<<63 || !cmp.Equal(got, want) {
			t.Errorf("%d words: spi %x, highest %d, token %x, bits %x", words, spi, highest, elements[0].Token(), got)
		}
	}
}

func TestParseBoundsItsWork(t *testing.T) {
	msg := appendHeader(nil)
	for range maxElements {
		msg = appendElement(msg, 200, nil)
	}
	if _, err := Parse(nil, msg); err != nil {
		t.Errorf("%d elements: %v", maxElements, err)
	}
	if _, err := Parse(nil, appendElement(msg, 200, nil)); !errors.Is(err, ErrMalformed) {
		t.Errorf("%d elements: error %v, want %v", maxElements+1, err, ErrMalformed)
	}
}

func TestTokenSurvivesTheWire(t *testing.T) {
	const token = 0xfedcba9876543210
	got, err := Parse(nil, AppendToken(nil, EchoReply, token))
	if err != nil || len(got) != 1 || got[0].Token() != token {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestChallengesSurviveTheWire(t *testing.T) {
	for _, flags := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		got, err := Parse(nil, AppendPathChallenge(nil, 1<<63|7, 1<<31|9, flags[0], flags[1]))
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		if e := got[0]; e.Token() != 1<<63|7 || e.Generation() != 1<<31|9 || e.Use() != flags[0] || e.Stalled() != flags[1] {
			t.Errorf("%v: token %x, generation %x, use %v, stalled %v", flags, e.Token(), e.Generation(), e.Use(), e.Stalled())
		}
	}
}

func TestTrimCutsOffThePadding(t *testing.T) {
	probe := AppendToken(nil, Probe, 1)
	for _, padding := range []int{0, 1, 2, 1400} {
		if got := Trim(append(bytes.Clone(probe), make([]byte, padding)...)); !bytes.Equal(got, probe) {
			t.Errorf("with %d bytes of padding: %d bytes are left of %d", padding, len(got), len(probe))
		}
	}
	for _, whole := range [][]byte{{}, {1, 2}, probe[:6], probe[:10], append(bytes.Clone(probe), byte(Echo))} {
		if got := Trim(whole); !bytes.Equal(got, whole) {
			t.Errorf("%x: %x", whole, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(AppendToken(nil, Echo, 42))
	f.Add(AppendClose(nil))
	f.Add(AppendToken(nil, Probe, 1))
	f.Add(AppendProbeAck(nil, 1, true))
	f.Add(AppendReport(nil, 1, 2, 3, []uint64{4, 5}))
	f.Add(AppendPathChallenge(nil, 1, 2, true, true))
	f.Add(AppendPathResponse(nil, 1, 2))
	f.Add(AppendToken(nil, HopsRequest, 1))
	f.Add(AppendHopsReport(nil, sampleHops()))
	f.Add(AppendToken(nil, FactsRequest, 1))
	f.Add(AppendFactsReport(nil, sampleFacts()))
	f.Add(appendElement(appendHeader(nil), 200, []byte("later")))
	f.Fuzz(func(t *testing.T, payload []byte) {
		elements, err := Parse(nil, payload)
		if trimmed, trimmedErr := Parse(nil, Trim(payload)); trimmedErr != err || cmp.Diff(elements, trimmed) != "" {
			t.Fatalf("%v, %v; trimmed %v, %v", elements, err, trimmed, trimmedErr)
		}
		if err != nil {
			return
		}
		for _, e := range elements {
			switch e.Type {
			case Report:
				e.Report(nil)
			case ProbeAck:
				e.Fragmented()
			case PathChallenge:
				e.Generation()
				e.Use()
				e.Stalled()
			case PathResponse:
				e.Generation()
			case FactsReport:
				facts, err := e.Facts()
				if err != nil {
					break
				}
				parsed, perr := Parse(nil, AppendFactsReport(nil, &facts))
				if perr != nil || len(parsed) != 1 {
					t.Fatalf("%x becomes %+v, %v", e.Value, parsed, perr)
				}
				if again, err := parsed[0].Facts(); err != nil || cmp.Diff(facts, again, sameFacts) != "" {
					t.Fatalf("%+v becomes %+v, %v", facts, again, err)
				}
			case HopsReport:
				again, err := e.Hops()
				if parsed, perr := Parse(nil, AppendHopsReport(nil, &again)); err == nil && (perr != nil || len(parsed) != 1 || !bytes.Equal(parsed[0].Value, canonical(e.Value))) {
					t.Fatalf("%x becomes %+v, %v", e.Value, parsed, perr)
				}
			}
			if e.Type != Close {
				e.Token()
			}
		}
		// The parsed elements mean the same when they are written again.
		again := appendHeader(nil)
		for _, e := range elements {
			again = appendElement(again, e.Type, e.Value)
		}
		reparsed, err := Parse(nil, again)
		if err != nil {
			t.Fatalf("rewritten message: %v", err)
		}
		if diff := cmp.Diff(elements, reparsed); diff != "" {
			t.Fatal(diff)
		}
	})
}

// only returns the element of a message that has one.
func only(t *testing.T, message []byte, want Type) Element {
	t.Helper()
	elements, err := Parse(nil, message)
	if err != nil || len(elements) != 1 || elements[0].Type != want {
		t.Fatalf("%v, %v", elements, err)
	}
	return elements[0]
}
