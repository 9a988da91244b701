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
			if n := m.fans - fans; n < 1 || n > 3 || m.d.PLPMTU() != 1400 || m.d.FalseAlarms() > 0 {
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
