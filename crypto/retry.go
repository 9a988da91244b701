package crypto

import (
	"io"
	"time"
)

// The waiting times between initiations: they grow from the first to the last,
// which is short enough for a peer to be back within seconds of its return.
const (
	firstRetry  = 500 * time.Millisecond
	lastRetry   = 5 * time.Second
	rareRetry   = time.Minute // the last where the peer calls too
	retryJitter = 4           // a wait is longer by up to 1/retryJitter of itself
)

// RetryAfter returns how long to wait for the answer to an initiation before
// the next; attempt counts from 0. The jitter, from random, keeps apart hosts
// that lost the same peer at the same time.
func RetryAfter(attempt int, random io.Reader) time.Duration {
	return retryAfter(attempt, lastRetry, random)
}

// RetryRarely is RetryAfter for a peer that calls this end as soon as it can: the
// waiting times grow to a minute.
func RetryRarely(attempt int, random io.Reader) time.Duration {
	return retryAfter(attempt, rareRetry, random)
}

func retryAfter(attempt int, last time.Duration, random io.Reader) time.Duration {
	wait := firstRetry
	for n := 0; n < attempt && wait < last; n++ {
		wait = min(wait*3/2, last)
	}
	var b [1]byte
	io.ReadFull(random, b[:]) // without randomness there is no jitter
	return wait + wait/retryJitter*time.Duration(b[0])/256
}
