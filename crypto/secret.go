package crypto

import (
	"fmt"
	"io"
	"time"
)

// secretLifetime is how long a secret makes MACs. They are accepted until the next
// secret has reached the same age.
const secretLifetime = 120 * time.Second

// rotatingSecret is a secret that this end shares with nobody and replaces from
// time to time. It makes what others hand back later, so that nothing has to be
// remembered meanwhile. It is drawn when it is first used.
type rotatingSecret struct {
	random            io.Reader
	current, previous [32]byte
	since             time.Time // of current; zero: no secret has been made yet
	hasPrevious       bool
}

// rotate makes the secrets those of the given time. After an error they are what
// they were.
func (s *rotatingSecret) rotate(now time.Time) error {
	age := now.Sub(s.since)
	if !s.since.IsZero() && age < secretLifetime {
		return nil
	}
	var next [32]byte
	if _, err := io.ReadFull(s.random, next[:]); err != nil {
		return fmt.Errorf("crypto: draw a secret: %w", err)
	}
	s.previous, s.hasPrevious = s.current, !s.since.IsZero() && age < 2*secretLifetime
	s.current, s.since = next, now
	return nil
}

// matches reports whether the test holds for a secret of the given time.
func (s *rotatingSecret) matches(now time.Time, test func(secret []byte) bool) bool {
	if s.rotate(now) != nil {
		return false
	}
	return test(s.current[:]) || s.hasPrevious && test(s.previous[:])
}
