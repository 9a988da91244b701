package crypto

import "time"

// Lifetime says when an SA is to be replaced and when it must end. It is pure
// data; the zero value ends every SA at once.
type Lifetime struct {
	RekeyAge     time.Duration // replace from this age on
	RekeyPackets uint32        // or after this many packets sent
}

// maxPackets is how many packets an SA may send at most, however long its
// replacement takes: far from the end of the sequence numbers.
const maxPackets = 1 << 31

// HardAge is the age at which an SA ends even without a replacement.
func (l Lifetime) HardAge() time.Duration { return l.RekeyAge + max(l.RekeyAge/2, minRekeyTime) }

// minRekeyTime is the least time that an SA leaves for its replacement, however
// short its life: lost messages are sent again every few seconds.
const minRekeyTime = 30 * time.Second

// Spent reports whether an SA that has sent so many packets must not be used any more.
func Spent(packets uint32) bool { return packets >= maxPackets }
