package tun

import (
	"errors"
	"os"
	"testing"

	"golang.zx2c4.com/wireguard/tun/tuntest"

	"fathom/tunnel/inner"
)

// TestWrap reads and writes through a device of the library's.
func TestWrap(t *testing.T) {
	channel := tuntest.NewChannelTUN()
	d := Wrap(channel.TUN())
	if d.Queues() != 1 || d.Features() != (Features{}) {
		t.Errorf("%d queues, %+v", d.Queues(), d.Features())
	}
	r, w := d.Readers()[0], d.NewWriter()
	if _, _, err := r.Read(false); err != ErrEmpty {
		t.Errorf("error %v", err)
	}
	for _, packet := range []string{"first", "second"} {
		go func() { channel.Outbound <- []byte(packet) }()
		if got, o, err := r.Read(true); err != nil || string(got) != packet || o != (inner.Offload{}) {
			t.Errorf("%q, %+v, %v", got, o, err)
		}
		if _, _, err := r.Read(false); err != ErrEmpty {
			t.Errorf("behind %q: error %v", packet, err)
		}
		written := make(chan error, 1)
		go func() { written <- w.Write([][]byte{[]byte("of "), []byte(packet)}, inner.Offload{}) }()
		if got := <-channel.Inbound; string(got) != "of "+packet {
			t.Errorf("written %q", got)
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := r.Read(true); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: error %v", err)
	}
}
