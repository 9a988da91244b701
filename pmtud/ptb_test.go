package pmtud

import (
	"testing"
	"time"
)

// TestAPTBWithoutAUsableSizeIsVerified: routers before RFC 1191 say 0, and others
// may say less than MIN_PLPMTU. The size is of no use, the message is.
func TestAPTBWithoutAUsableSizeIsVerified(t *testing.T) {
	for _, tc := range []struct {
		name string
		ptb  PTB
	}{
		{"below MIN_PLPMTU", PTB{MTU: 575, Size: 1400, Validated: true}},
		{"of zero", PTB{MTU: 0, Size: 1400, Validated: true}},
		{"negative", PTB{MTU: -5, Size: 1400, Validated: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := complete(t, 1400, 1500)
			fans := m.fans
			const messages = 1000
			for range messages {
				m.d.PTB(tc.ptb, m.now)
				m.run(4*time.Millisecond, nil)
			}
			if n := m.fans - fans; n < 1 || n > 3 || m.d.PLPMTU() != 1400 || m.falseAlarms() > 0 {
				t.Errorf("%d messages: %d verifications, PLPMTU %d", messages, n, m.d.PLPMTU())
			}
			m.run(time.Minute, nil)
			m.mtu = 1300
			at := m.now
			m.d.PTB(tc.ptb, m.now)
			m.run(time.Second, func() bool { return m.d.PLPMTU() <= 1300 })
			if m.d.PLPMTU() > 1300 || m.now.Sub(at) > 2*m.rtt() {
				t.Errorf("a true one: PLPMTU %d after %v", m.d.PLPMTU(), m.now.Sub(at))
			}
		})
	}
}

// TestAPTBEndsTheTrialOfALargerSize: the PLPMTU is what it was before, without a detour
// by a safe size. One that tells of less than the size that passes is a suspicion, as
// ever.
func TestAPTBEndsTheTrialOfALargerSize(t *testing.T) {
	for _, tc := range []struct {
		mtu, want int
		suspects  bool
	}{{1400, 1400, false}, {1450, 1400, false}, {1300, 1228, true}} {
		m := complete(t, 1500, 1500)
		m.d.trial = trial{phase: settled, size: 1400, good: 1400, bad: 1404, record: record{size: 1500}}
		m.d.use(1400)
		m.d.tryLarger(m.now)
		if m.d.PLPMTU() != 1500 {
			t.Fatalf("PLPMTU %d on trial", m.d.PLPMTU())
		}
		m.d.PTB(PTB{MTU: tc.mtu, Size: 1500, Validated: true}, m.now)
		if m.d.PLPMTU() != tc.want || m.d.suspects() != tc.suspects {
			t.Errorf("of %d: PLPMTU %d, suspects %v", tc.mtu, m.d.PLPMTU(), m.d.suspects())
		}
		if !tc.suspects && (m.d.trial.phase != settled || m.falseAlarms() > 0) {
			t.Errorf("of %d: phase %d, %d false alarms", tc.mtu, m.d.trial.phase, m.falseAlarms())
		}
	}
}
