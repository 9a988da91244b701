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
	// A search that is answered, a confirmation, a shrink of the egress, a confirmation that has no answer.
	f.Add([]byte{0, 5, 220, 13, 0, 2, 2, 0, 0, 2, 0, 1, 2, 0, 2, 1, 4, 0, 12, 0, 0, 7, 4, 200, 1, 3, 232, 12, 0, 0, 14, 0, 1, 1, 3, 232})
	// Two paths take turns, in doubt at times.
	f.Add([]byte{0, 5, 220, 2, 0, 0, 15, 0, 0, 9, 0, 20, 16, 0, 1, 1, 1, 44, 15, 0, 0, 16, 0, 0, 4, 0, 3, 15, 0, 0, 1, 255, 255})
	// A PTB that quotes a packet, of which reports tell.
	f.Add([]byte{0, 5, 220, 2, 0, 0, 1, 0, 100, 9, 0, 30, 25, 0, 30, 41, 0, 30, 21, 5, 0, 4, 0, 9, 1, 0, 50, 4, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		var mode Mode
		if len(in) > 0 {
			mode = Mode(in[0] % 8)
			if mode > Sequential {
				mode = Fan
			}
		}
		// Two paths of one peer: the other one stands by.
		d, other := New(Config{Mode: mode, Path: 1}), New(Config{Mode: mode, Path: 2})
		other.StandBy()
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
			option := op >= 128
			switch op % 17 {
			case 0:
				to := Endpoint{IPv6: option, EgressMTU: int(v)}
				d.NewEndpoint(to, now)
				other.NewEndpoint(to, now)
			case 1:
				now = now.Add(time.Duration(v) * time.Millisecond)
			case 2:
				d.Ack(pick(v), false, now)
			case 3:
				d.Ack(pick(v), true, now)
			case 4:
				d.Report(pick(v), seq-uint32(v%8), []uint64{uint64(v) * 0x9e3779b97f4a7c15, ^uint64(v), 0}[:v%4%3], now)
			case 5:
				quoted := uint32(0)
				if op&1 != 0 && seq > 0 {
					quoted = 1 + uint32(v)%seq
				}
				size := int(v) + int(op)
				if quoted > 0 {
					size = log.Size(quoted)
				}
				d.PTB(PTB{MTU: int(v) * int(op>>6&1), Size: size, Sequence: quoted, Validated: option}, now)
			case 6:
				d.LocalTooBig(int(v), now)
			case 7:
				d.EgressMTU(int(v), now)
			case 8:
				d.ProbeFailed(pick(v), option, now)
			case 9:
				for i := range v % 100 { // large and small ones, and of the tunnel's own
					size := d.PLPMTU()
					if option && i%3 > 0 {
						size = 80 + int(i)
					}
					seq++
					log.Record(seq, size, d.cfg.Path, !option || i%3 < 2)
				}
			case 10:
				log, seq = new(SentLog), 0
				d.NewSA(log)
			case 11:
				d.Stop(now)
			case 12:
				d.Confirm()
			case 13:
				d.Copies(int(v % 6))
				other.Copies(int(v % 6))
			case 14:
				d.ProbeRefused(pick(v))
			case 15:
				other.Replace(d, time.Duration(v%300)*time.Millisecond, now)
				d, other = other, d
			case 16:
				d.Doubt(v%2 != 0)
			}
			for _, d := range []*Discovery{d, other} {
				actions, ids = settles(t, d, actions, ids, now)
			}
		}
	})
}

// settles does what is due, and asserts what holds after any input.
func settles(t *testing.T, d *Discovery, actions []Action, ids []uint64, now time.Time) ([]Action, []uint64) {
	for i := 0; ; i++ {
		at := d.Deadline()
		if at.IsZero() || at.After(now) {
			break
		}
		if i > 10 {
			t.Fatal("a deadline stays in the past")
		}
		actions = d.Poll(actions[:0], now)
		probes := 0
		for _, a := range actions {
			if a.Kind == SendProbe {
				probes++
				if a.Size < d.search.grid.min || a.Size > d.search.grid.max || a.Size%4 != 0 {
					t.Fatalf("a probe of %d", a.Size)
				}
			}
			if ids = append(ids, a.ID); len(ids) > 100 {
				ids = ids[50:]
			}
		}
		least := minFan
		if d.round.paired {
			least = 2*minCopies + 1
		}
		if probes > max(fanPackets/d.copies, least) || len(actions) > probes+1 {
			t.Fatalf("%d probes of %d packets, and %d actions at once", probes, d.copies, len(actions))
		}
	}
	if p := d.PLPMTU(); p%4 != 0 || d.State() != Disabled && (p < d.search.grid.min || p > d.search.grid.max) {
		t.Fatalf("PLPMTU %d outside %+v", p, d.search.grid)
	}
	if len(d.search.fails) > rememberedFails || len(d.history) > historyEvents {
		t.Fatal("memory grows")
	}
	return actions, ids
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
