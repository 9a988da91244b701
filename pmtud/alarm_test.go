package pmtud

import (
	"testing"
	"time"
)

// TestDoubtGrows: suspicions that are contradicted again and again stay in doubt for
// ever longer, and less long once there was peace.
func TestDoubtGrows(t *testing.T) {
	var c doubt
	now := epochStart
	if c.stands(now) {
		t.Error("a doubt without a cause")
	}
	for want := doubtful; want < 4*maxDoubtful; want *= 2 {
		c.contradict(now)
		lasts := min(want, maxDoubtful)
		if !c.stands(now.Add(lasts-1)) || c.stands(now.Add(lasts)) {
			t.Errorf("the doubt lasts %v, want %v", c.lasts, lasts)
		}
		now = now.Add(lasts)
	}
	now = now.Add(2 * maxDoubtful)
	c.contradict(now)
	if c.lasts != doubtful {
		t.Errorf("after peace it lasts %v", c.lasts)
	}
}

// TestFansAgreeWithASuspicionInDoubt: as many fans as it takes are lost as a whole
// before the PLPMTU changes, and one that passes ends it.
func TestFansAgreeWithASuspicionInDoubt(t *testing.T) {
	for lost := range denials + 1 {
		m := complete(t, 1500, 1500)
		m.run(time.Second, nil) // the fans of the search are over
		m.d.doubt.contradict(m.now)
		m.mtu = 1400
		m.d.suspect(m.now)
		m.run(time.Second, func() bool { return m.d.doubt.denied == lost || m.d.suspects() })
		if lost == denials {
			if !m.run(time.Second, func() bool { return m.d.Settled() && m.d.PLPMTU() == 1400 }) {
				t.Errorf("PLPMTU %d in %v", m.d.PLPMTU(), m.d.State())
			}
			continue
		}
		if m.d.PLPMTU() != 1500 {
			t.Errorf("after %d fans: PLPMTU %d", lost, m.d.PLPMTU())
		}
		m.mtu = 1500
		m.run(time.Second, nil)
		if m.d.PLPMTU() != 1500 || m.d.doubt.denied != 0 || m.falseAlarms() != 0 {
			t.Errorf("after %d fans that were lost: PLPMTU %d, %d denied, %d false alarms", lost, m.d.PLPMTU(), m.d.doubt.denied, m.falseAlarms())
		}
	}
}
