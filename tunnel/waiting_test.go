package tunnel

import (
	"bytes"
	"testing"
	"time"

	"fathom/tunnel/inner"
)

func TestTheWaitingRoomKeepsTheNewest(t *testing.T) {
	sizes := func(n, size int) []int {
		s := make([]int, n)
		for i := range s {
			s[i] = size
		}
		return s
	}
	for _, test := range []struct {
		name  string
		sizes []int
		kept  int
	}{
		{"as many as there are", sizes(3, 1000), 3},
		{"as many small ones as fit", sizes(maxWaiting, 100), maxWaiting},
		{"one more", sizes(maxWaiting+1, 100), maxWaiting},
		{"many more", sizes(10*maxWaiting, 100), maxWaiting},
		{"superpackets that fill the room exactly", sizes(4, 64<<10), 4},
		{"one more superpacket", sizes(5, 64<<10), 4},
		{"many superpackets", sizes(100, 65535), 4},
		{"a small one for a large one", append(sizes(4, 64<<10), 1), 4},
		{"a large one for many small ones", append(sizes(60, 4<<10), 64<<10), 49},
	} {
		t.Run(test.name, func(t *testing.T) {
			var d drops
			w := waitingRoom{drops: &d}
			now := time.Now()
			for i, size := range test.sizes {
				packet := bytes.Repeat([]byte{byte(i)}, size)
				w.put(packet, inner.Offload{SegmentSize: uint16(i)}, now)
				packet[0]++ // the room must keep a copy
			}
			got := w.take(now)
			if len(got) != test.kept {
				t.Fatalf("%d packets are kept, want %d", len(got), test.kept)
			}
			first, held := len(test.sizes)-test.kept, 0
			for i, p := range got {
				if i += first; len(p.packet) != test.sizes[i] || p.packet[0] != byte(i) || int(p.offload.SegmentSize) != i {
					t.Errorf("packet %d: %d bytes of %d, %+v", i, len(p.packet), p.packet[0], p.offload)
				}
				held += len(p.packet)
			}
			if held > maxWaitingBytes {
				t.Errorf("%d bytes are kept", held)
			}
			if n := d[dropNoSA].Load(); int(n) != first {
				t.Errorf("%d are counted as dropped, want %d", n, first)
			}
			if again := w.take(now); len(again) != 0 {
				t.Errorf("%d packets are there twice", len(again))
			}
			// An empty room has all its room.
			for range 4 {
				w.put(make([]byte, maxWaitingBytes/4), inner.Offload{}, now)
			}
			if n := len(w.take(now)); n != 4 {
				t.Errorf("%d of 4 packets fit the next time", n)
			}
		})
	}
}

// TestTheWaitingRoomDoesNotHoldWhatItDropped: the array behind the slice is
// larger than the part in use.
func TestTheWaitingRoomDoesNotHoldWhatItDropped(t *testing.T) {
	w := waitingRoom{drops: new(drops)}
	now := time.Now()
	w.put(make([]byte, maxWaitingBytes), inner.Offload{}, now)
	before := w.packets[:1]
	w.put([]byte{1}, inner.Offload{}, now)
	if before[0].packet != nil {
		t.Errorf("%d bytes", len(before[0].packet))
	}
}

func TestWhoHasWaitedTooLongIsDropped(t *testing.T) {
	var d drops
	w := waitingRoom{drops: &d}
	now := time.Now()
	w.put([]byte{1}, inner.Offload{}, now)
	w.put([]byte{2}, inner.Offload{}, now.Add(time.Second))
	got := w.take(now.Add(maxWait + time.Nanosecond))
	if len(got) != 1 || got[0].packet[0] != 2 || d[dropNoSA].Load() != 1 {
		t.Errorf("%+v, %d dropped", got, d[dropNoSA].Load())
	}
}
