package host

import (
	"errors"
	"testing"
	"time"
)

// TestAWatchThatEndsIsBegunAgain plays a kernel that ends a subscription, and
// at first refuses another.
func TestAWatchThatEndsIsBegunAgain(t *testing.T) {
	first, second := make(chan struct{}), make(chan struct{})
	attempts := 0
	subscribe := func() (<-chan struct{}, error) {
		if attempts++; attempts == 1 {
			return nil, errors.New("not now")
		}
		return second, nil
	}
	told, done, ended := make(chan struct{}, 10), make(chan struct{}), make(chan struct{})
	go func() {
		follow(first, subscribe, func() { told <- struct{}{} }, done)
		close(ended)
	}()
	expect := func(what string, c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(10 * rewatchAfter):
			t.Fatalf("%s: nothing happens", what)
		}
	}
	first <- struct{}{}
	expect("an event", told)
	close(first)
	expect("the watch is back", told)
	second <- struct{}{}
	expect("an event of the new watch", told)
	close(done)
	close(second)
	expect("the end", ended)
	if attempts != 2 {
		t.Errorf("%d attempts to subscribe", attempts)
	}
}
