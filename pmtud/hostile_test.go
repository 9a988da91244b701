package pmtud

import (
	"encoding/binary"
	"testing"
	"time"
)

// FuzzInputs drives a Discovery with any inputs in any order: it never panics,
// its PLPMTU stays within its bounds, it sends no more than a fan at once, and
// no deadline stays in the past.
func FuzzInputs(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 5, 220, 1, 0, 10, 2, 0, 0, 2, 0, 1, 3, 5, 0, 4, 1, 2, 9, 0, 255})
	f.Add([]byte{0, 35, 40, 1, 0, 1, 8, 0, 50, 2, 0, 0, 5, 3, 232, 6, 3, 0, 7, 5, 220, 1, 255, 255})
	f.Add([]byte{0, 0, 1, 1, 0, 0, 9, 0, 200, 1, 0, 30, 4, 0, 1, 1, 10, 0, 10, 0, 0, 0, 35, 40})
	f.Fuzz(func(t *testing.T, in []byte) {
		var mode Mode
		if len(in) > 0 {
			mode = Mode(in[0] % 8)
			if mode > Sequential {
				mode = Fan
			}
		}
		d := New(Config{Mode: mode})
		log := new(SentLog)
		d.NewSA(log)
		now := epochStart
		var ids []uint64
		var seq uint32
		var actions []Action
		pick := func(v uint16) uint64 {
			if len(ids) == 0 {
				return uint64(v)
			}
			return ids[int(v)%len(ids)]
		}
		for len(in) >= 3 {
			op, v := in[0], binary.BigEndian.Uint16(in[1:])
			in = in[3:]
			switch op % 12 {
			case 0:
				d.NewEndpoint(Endpoint{IPv6: op&16 != 0, EgressMTU: int(v)}, now)
			case 1:
				now = now.Add(time.Duration(v) * time.Millisecond)
			case 2:
				d.Ack(pick(v), false, now)
			case 3:
				d.Ack(pick(v), true, now)
			case 4:
				d.Report(pick(v), seq-uint32(v%8), []uint64{uint64(v) * 0x9e3779b97f4a7c15, ^uint64(v), 0}[:v%4%3], now)
			case 5:
				d.PTB(PTB{MTU: int(v), Size: int(v) + int(op), Validated: op&16 != 0}, now)
			case 6:
				d.LocalTooBig(int(v), now)
			case 7:
				d.EgressMTU(int(v), now)
			case 8:
				d.ProbeFailed(pick(v), op&16 != 0, now)
			case 9:
				for range v % 100 {
					seq++
					log.Record(seq, d.PLPMTU(), 0, true)
				}
			case 10:
				log, seq = new(SentLog), 0
				d.NewSA(log)
			case 11:
				d.Stop(now)
			}
			for i := 0; ; i++ {
				at := d.Deadline()
				if at.IsZero() || at.After(now) {
					break
				}
				if i > 10 {
					t.Fatal("a deadline stays in the past")
				}
				actions = d.Poll(actions[:0], now)
				if len(actions) > fanPackets+1 {
					t.Fatalf("%d actions at once", len(actions))
				}
				for _, a := range actions {
					if a.Kind == SendProbe && (a.Size < d.search.grid.min || a.Size > d.search.grid.max || a.Size%4 != 0) {
						t.Fatalf("a probe of %d", a.Size)
					}
					if ids = append(ids, a.ID); len(ids) > 100 {
						ids = ids[50:]
					}
				}
			}
			if p := d.PLPMTU(); p%4 != 0 || d.State() != Disabled && (p < d.search.grid.min || p > d.search.grid.max) {
				t.Fatalf("PLPMTU %d outside %+v", p, d.search.grid)
			}
			if len(d.search.fails) > rememberedFails || len(d.history) > historyEvents {
				t.Fatal("memory grows")
			}
		}
	})
}

func TestAReportIsReadWithinItsBounds(t *testing.T) {
	m := complete(t, 1500, 1500)
	m.flowing(time.Millisecond, 100*time.Millisecond)
	m.mtu = 1500
	q := m.d.requests.latest()
	for _, tc := range []struct {
		name    string
		id      uint64
		highest uint32
		bits    []uint64
	}{
		{"with no bitmap", q.id, q.top, nil},
		{"of numbers never sent", q.id, ^uint32(0), make([]uint64, 64)},
		{"of no number", q.id, 0, make([]uint64, 64)},
		{"that answers no request", q.id + 1<<40, q.top, make([]uint64, 64)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q.answered = false
			m.d.Report(tc.id, tc.highest, tc.bits, m.now)
			if m.d.PLPMTU() != 1500 {
				t.Errorf("PLPMTU is %d", m.d.PLPMTU())
			}
		})
	}
}
