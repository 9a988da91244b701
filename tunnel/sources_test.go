package tunnel

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
	"unsafe"
)

// TestSources have a bucket each.
func TestSources(t *testing.T) {
	s := newSources()
	now := time.Unix(1000, 0)
	for _, step := range []struct {
		name    string
		from    string
		after   time.Duration
		sent    int
		allowed int
	}{
		{"an address", "192.0.2.1", 0, 1000, sourceBurst},
		{"its neighbour", "192.0.2.2", 0, 1000, sourceBurst},
		{"the first again", "192.0.2.1", 0, 10, 0},
		{"the first, as IPv6 writes it", "::ffff:192.0.2.1", 0, 10, 0},
		{"the first after a while", "192.0.2.1", 10 * sourceEvery, 1000, 10},
		{"an IPv6 address", "2001:db8::1", 0, 1000, sourceBurst},
		{"another of the same /64", "2001:db8::ffff:2", 0, 10, 0},
		{"another /64", "2001:db8:0:1::1", 0, 1000, sourceBurst},
		{"an IPv6 address with the bits of an IPv4 one", "0:0:c000:201::", 0, 1000, sourceBurst},
		{"the first after a rest", "192.0.2.1", time.Hour, 1000, sourceBurst},
	} {
		now = now.Add(step.after)
		allowed := 0
		for range step.sent {
			if s.allow(netip.MustParseAddr(step.from), now) {
				allowed++
			}
		}
		if drained := s.drained(netip.MustParseAddr(step.from), now); drained != (allowed < step.sent) {
			t.Errorf("%s: drained: %v", step.name, drained)
		}
		if allowed != step.allowed {
			t.Errorf("%s: %d of %d are allowed, want %d", step.name, allowed, step.sent, step.allowed)
		}
	}
}

// TestAFloodFromManySources does not make the table larger, and does not give a
// source that floods a new bucket.
func TestAFloodFromManySources(t *testing.T) {
	s := newSources()
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1000, 0)
	flooder := netip.MustParseAddr("192.0.2.1")
	const seconds, others = 20, 5000 // a second, and so more than there is room for
	allowed := 0
	for range seconds * others {
		now = now.Add(time.Second / others)
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], random.Uint64())
		if !s.allow(netip.AddrFrom16(b), now) {
			t.Fatal("a source that has sent nothing is refused")
		}
		for range 5 {
			if s.allow(flooder, now) {
				allowed++
			}
		}
	}
	if most := sourceBurst + seconds*int(time.Second/sourceEvery) + 1; allowed > most || allowed < most*9/10 {
		t.Errorf("one that floods is allowed %d in %d seconds, want up to %d", allowed, seconds, most)
	}
	if size := unsafe.Sizeof(*s); size > 128<<10 {
		t.Errorf("the table has %d bytes", size)
	}
}
