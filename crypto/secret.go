package crypto

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// secretLifetime is how long a secret makes MACs. They are accepted until the next
// secret has reached the same age.
const secretLifetime = 120 * time.Second

// rotatingSecret is a secret that this end shares with nobody and replaces from
// time to time. It makes what others hand back later, so that nothing has to be
// remembered meanwhile. It is drawn when it is first used. Any goroutine may use it.
type rotatingSecret struct {
	random io.Reader

	mu      sync.Mutex // guards what follows
	secrets secrets
	since   time.Time // of the current secret; zero: none has been made yet
}

// secrets are those whose MACs are accepted.
type secrets struct {
	current, previous [32]byte
	hasPrevious       bool
}

// at returns the secrets of the given time. After an error they are what they were.
func (s *rotatingSecret) at(now time.Time) (secrets, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := now.Sub(s.since)
	if !s.since.IsZero() && age < secretLifetime {
		return s.secrets, nil
	}
	next := secrets{previous: s.secrets.current, hasPrevious: !s.since.IsZero() && age < 2*secretLifetime}
	if _, err := io.ReadFull(s.random, next.current[:]); err != nil {
		return secrets{}, fmt.Errorf("crypto: draw a secret: %w", err)
	}
	s.secrets, s.since = next, now
	return next, nil
}

// matches reports whether the test holds for a secret of the given time.
func (s *rotatingSecret) matches(now time.Time, test func(secret []byte) bool) bool {
	at, err := s.at(now)
	if err != nil {
		return false
	}
	return test(at.current[:]) || at.hasPrevious && test(at.previous[:])
}
