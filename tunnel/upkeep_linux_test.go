package tunnel

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/host"
)

// tamperedHost is a host on which something waits to be put right twice.
type tamperedHost struct {
	testHost
	turns []time.Time
}

func (h *tamperedHost) Restore(now time.Time) ([]host.Repair, time.Time) {
	h.turns = append(h.turns, now)
	if len(h.turns)%3 == 0 {
		return nil, time.Time{}
	}
	return []host.Repair{{What: "route"}}, now.Add(7 * time.Second)
}

// TestUpkeepLooksAgain when the host says so, and after the next change.
func TestUpkeepLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(tamperedHost)
		v := newWire().newVirtual(t, "192.0.2.1:4500", crypto.PrivateKey{1}, conf.Tunnel{}, conf.Peer{PublicKey: conf.Key{9}})
		v.upkeep = newUpkeep(network, slog.New(v.log))
		began := time.Now()
		v.start(t)
		for range 2 {
			v.upkeep.changed <- struct{}{}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		var at []string
		for _, turn := range network.turns {
			at = append(at, turn.Sub(began).String())
		}
		if got := strings.Join(at, " "); got != "0s 7s 14s 1m0s 1m7s 1m14s" {
			t.Errorf("restored at %s", got)
		}
		if n := v.log.count("changed by another program, and put right"); n != 4 {
			t.Errorf("said %d times", n)
		}
	})
}

// manyRepairs is a host after everything was changed.
type manyRepairs struct{ testHost }

func (manyRepairs) Restore(time.Time) (told []host.Repair, next time.Time) {
	for i := range 1000 {
		told = append(told,
			host.Repair{What: fmt.Sprint("route ", i)},
			host.Repair{What: fmt.Sprint("contested ", i), Contested: true, Rest: time.Second},
			host.Repair{What: fmt.Sprint("failed ", i), Err: errors.New("no")},
			host.Repair{What: fmt.Sprint("displaced ", i), Displaced: "10.0.0.0/8 dev eth0"},
		)
	}
	return told, time.Time{}
}

// TestUpkeepSaysMuchInFewLines, however much was changed at once.
func TestUpkeepSaysMuchInFewLines(t *testing.T) {
	var text strings.Builder
	u := newUpkeep(manyRepairs{}, slog.New(slog.NewTextHandler(&text, nil)))
	u.restore(time.Now())
	if lines := strings.Count(text.String(), "\n"); lines != 4 || !strings.Contains(text.String(), "route 5 and 994 more") || text.Len() > 2000 {
		t.Errorf("%d lines: %s", lines, text.String())
	}
}
