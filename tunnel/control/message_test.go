package control

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	header := AppendHeader(nil)
	echo := AppendEcho(nil, Echo, 0x0102030405060708)
	unknown := AppendElement(bytes.Clone(header), 200, []byte("later"))
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
		{"an echo reply", AppendEcho(nil, EchoReply, 1), []Element{{EchoReply, []byte{0, 0, 0, 0, 0, 0, 0, 1}}}, nil},
		{"close", AppendClose(nil), []Element{{Close, []byte{}}}, nil},
		{"zero bytes after the list are padding", append(bytes.Clone(echo), make([]byte, 900)...), []Element{{Echo, []byte{1, 2, 3, 4, 5, 6, 7, 8}}}, nil},
		{"anything after the end is padding", append(AppendClose(nil), 0, 1, 2, 3), []Element{{Close, []byte{}}}, nil},
		{"unknown types are skipped", AppendElement(unknown, Close, nil), []Element{{Close, []byte{}}}, nil},
		{"an echo of the wrong length is malformed", AppendElement(bytes.Clone(header), Echo, []byte{1}), nil, ErrMalformed},
		{"a close with a value is malformed", AppendElement(bytes.Clone(header), Close, []byte{1}), nil, ErrMalformed},
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

func TestParseBoundsItsWork(t *testing.T) {
	msg := AppendHeader(nil)
	for range MaxElements {
		msg = AppendElement(msg, 200, nil)
	}
	if _, err := Parse(nil, msg); err != nil {
		t.Errorf("%d elements: %v", MaxElements, err)
	}
	if _, err := Parse(nil, AppendElement(msg, 200, nil)); !errors.Is(err, ErrMalformed) {
		t.Errorf("%d elements: error %v, want %v", MaxElements+1, err, ErrMalformed)
	}
}

func TestTokenSurvivesTheWire(t *testing.T) {
	const token = 0xfedcba9876543210
	got, err := Parse(nil, AppendEcho(nil, EchoReply, token))
	if err != nil || len(got) != 1 || got[0].Token() != token {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(AppendEcho(nil, Echo, 42))
	f.Add(AppendClose(nil))
	f.Add(AppendElement(AppendHeader(nil), 200, []byte("later")))
	f.Fuzz(func(t *testing.T, payload []byte) {
		elements, err := Parse(nil, payload)
		if err != nil {
			return
		}
		// What was understood says the same when it is written again.
		again := AppendHeader(nil)
		for _, e := range elements {
			again = AppendElement(again, e.Type, e.Value)
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
