package esp

import (
	"errors"
	"sync"
	"testing"
)

func testOutbound(t *testing.T) *Outbound {
	t.Helper()
	o, err := NewOutbound(MinSPI, AES256GCM, make([]byte, KeyMaterialSize))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestNumbersAreConsecutive, though others seal at the same time, and none is
// given out twice.
func TestNumbersAreConsecutive(t *testing.T) {
	const sealers, blocks, count = 4, 200, 5
	o := testOutbound(t)
	var all [sealers][]uint32
	var sealing sync.WaitGroup
	for i := range all {
		sealing.Go(func() {
			var s Scratch
			for range blocks {
				n, err := o.Reserve(count)
				if err != nil {
					t.Error(err)
					return
				}
				for last := uint32(0); n.Left() > 0; {
					_, seq := o.SealNext(&s, &n, nil, []byte("x"), NextHeaderIPv4)
					if last != 0 && seq != last+1 {
						t.Errorf("%d behind %d", seq, last)
					}
					last = seq
					all[i] = append(all[i], seq)
				}
			}
		})
	}
	sealing.Wait()
	seen := make(map[uint32]bool)
	for _, list := range all {
		for _, seq := range list {
			seen[seq] = true
		}
	}
	const want = sealers * blocks * count
	if len(seen) != want || seen[0] || !seen[1] || !seen[want] || o.Packets() != want {
		t.Errorf("%d numbers of %d, %d packets", len(seen), want, o.Packets())
	}
}

// TestNoNumberSealsTwice: a number seals nothing if it was not reserved, was
// used before, or belongs to another SA.
func TestNoNumberSealsTwice(t *testing.T) {
	o, other := testOutbound(t), testOutbound(t)
	used, err := o.Reserve(1)
	if err != nil {
		t.Fatal(err)
	}
	var s Scratch
	o.SealNext(&s, &used, nil, []byte("x"), NextHeaderIPv4)
	foreign, err := other.Reserve(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]*Numbers{"none": {}, "used": &used, "of another SA": &foreign} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it seals")
				}
			}()
			o.SealNext(&s, n, nil, []byte("x"), NextHeaderIPv4)
		})
	}
}

func TestNumbersEnd(t *testing.T) {
	o := testOutbound(t)
	o.next.Store(maxSequence - 3)
	if n, err := o.Reserve(4); !errors.Is(err, ErrExhausted) || n.Left() != 0 {
		t.Errorf("%d numbers, error %v", n.Left(), err)
	}
	o.next.Store(maxSequence - 3)
	if n, err := o.Reserve(3); err != nil || n.Left() != 3 {
		t.Errorf("%d numbers, error %v", n.Left(), err)
	}
}
