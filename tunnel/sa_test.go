package tunnel

import (
	"testing"
	"time"

	"fathom/crypto"
	"fathom/esp"
)

func TestRekeyAt(t *testing.T) {
	start := time.Unix(1000, 0)
	l := crypto.Lifetime{RekeyAge: 2 * time.Minute, RekeyPackets: 3}
	for _, test := range []struct {
		name      string
		initiator bool
		packets   int
		age       time.Duration
	}{
		{"the initiator comes first", true, 0, l.RekeyAge},
		{"the responder gives it an eighth more", false, 0, l.RekeyAge * 9 / 8},
		{"one packet less than it may send", true, 2, l.RekeyAge},
		{"all the packets that it may send", true, 3, rekeyPause},
		{"more", true, 4, rekeyPause},
		{"more, at the responder", false, 4, rekeyPause + l.RekeyAge/8},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := esp.NewOutbound(esp.MinSPI, esp.AES256GCM, make([]byte, esp.KeyMaterialSize))
			if err != nil {
				t.Fatal(err)
			}
			var scratch esp.Scratch
			for range test.packets {
				if _, _, err := out.Seal(&scratch, nil, nil, esp.NextHeaderDummy); err != nil {
					t.Fatal(err)
				}
			}
			pair := &saPair{outbound: &outboundSA{Outbound: out}, initiator: test.initiator, established: start}
			if got := pair.rekeyAt(l).Sub(start); got != test.age {
				t.Errorf("after %v, want %v", got, test.age)
			}
		})
	}
}
