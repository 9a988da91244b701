package udp

import "testing"

// TestRemedy: every situation before a full socket.
func TestRemedy(t *testing.T) {
	for name, test := range map[string]struct {
		fullSocket
		want remedy
	}{
		"the controller":                        {fullSocket{several: true, company: true}, lose},
		"the controller, alone":                 {fullSocket{several: true}, lose},
		"one socket for all data":               {fullSocket{waits: true}, wait},
		"one socket for all data, in company":   {fullSocket{waits: true, company: true}, wait},
		"alone":                                 {fullSocket{waits: true, several: true}, wait},
		"alone, still with an outlet":           {fullSocket{waits: true, several: true, own: true}, rejoin},
		"in company, the common socket is full": {fullSocket{waits: true, several: true, company: true}, part},
		"in company, its own outlet is full":    {fullSocket{waits: true, several: true, company: true, own: true}, lose},
	} {
		if got := test.remedy(); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
