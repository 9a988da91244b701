package main

import (
	"context"
	"errors"
	"testing"

	"fathom/tunnel/status"
)

func TestHopsGetTheirNames(t *testing.T) {
	r := &status.HopsReport{
		Forth: &status.HopsWay{Hops: []status.Hop{{Address: "192.0.2.1"}, {}, {Address: "192.0.2.2"}, {Address: "192.0.2.3"}}},
		Back:  &status.HopsWay{Hops: []status.Hop{{Address: "192.0.2.4"}}},
	}
	nameHops(context.Background(), r, func(_ context.Context, address string) ([]string, error) {
		switch address {
		case "192.0.2.1":
			return []string{"here.example.org.", "other.example.org."}, nil
		case "192.0.2.2":
			return nil, errors.New("no such host")
		case "192.0.2.3":
			return []string{"a\x1b[2Jb\u202e."}, nil
		case "192.0.2.4":
			return nil, nil
		}
		t.Errorf("looked up %q", address)
		return nil, nil
	})
	for i, want := range []string{"here.example.org", "", "", "a?[2Jb?"} {
		if got := r.Forth.Hops[i].Name; got != want {
			t.Errorf("hop %d: %q, want %q", i, got, want)
		}
	}
	if got := r.Back.Hops[0].Name; got != "" {
		t.Errorf("%q", got)
	}
}
