package tunnel

import (
	"testing"
	"time"

	"fathom/esp"
	"fathom/tunnel/control"
)

// TestAnIdleDayIsCheap computes what a day without data costs, both ends and both ways,
// in IPv6 packets, which are the larger ones: confirmations, the echoes between them, and
// a handshake every two minutes. A probe leaves as many packets as it may.
func TestAnIdleDayIsCheap(t *testing.T) {
	const (
		day        = 24 * time.Hour
		most       = 3_000_000 // bytes
		plpmtu     = 1500
		handshake  = 800 // bytes: an initiation, a response, and the first messages on the SA
		twoMinutes = 2 * time.Minute
	)
	message := esp.OuterOverhead(true) + esp.PacketSize(len(control.AppendProbeAck(nil, 0, false)))
	var timer confirmationTimer
	now := time.Unix(1000, 0)
	end := now.Add(day)
	confirmations, firstMinute := 0, 0
	timer.look(now, 1, true)
	for at := now; at.Before(end); at = timer.deadline() {
		if timer.look(at, 1, false) {
			confirmations++
			if at.Sub(now) <= time.Minute {
				firstMinute++
			}
		}
	}
	echoes := int(day / idleEcho)
	echoes -= confirmations // those that a confirmation stands for
	cost := 2*confirmations*maxVariants*(plpmtu+message) + echoes*2*message + int(day/twoMinutes)*handshake
	t.Logf("an idle day costs %d bytes: %d confirmations each way, %d echoes", cost, confirmations, echoes)
	if cost > most {
		t.Errorf("an idle day costs %d bytes", cost)
	}
	if firstMinute != 6 || confirmations < int(day/plpmtuLatest) {
		t.Errorf("%d confirmations in the first minute, %d in all", firstMinute, confirmations)
	}
}

// TestConfirmationFollowsData: it is soon after any data, and left out after large data.
func TestConfirmationFollowsData(t *testing.T) {
	var timer confirmationTimer
	now := time.Unix(1000, 0)
	if timer.look(now, 0, false) {
		t.Error("at once")
	}
	for range 100 { // idle for hours
		now = timer.deadline()
		if timer.look(now.Add(-1), 0, false) || !timer.look(now, 0, false) {
			t.Fatal("not at its deadline")
		}
	}
	if wait := timer.deadline().Sub(now); wait != plpmtuLatest {
		t.Errorf("after a long rest it waits %v", wait)
	}
	now = now.Add(time.Second)
	timer.look(now, 1, true)
	if wait := timer.deadline().Sub(now); wait != plpmtuEvery {
		t.Errorf("after large data it waits %v", wait)
	}
	now = now.Add(9 * time.Second)
	timer.look(now, 2, true)
	if timer.look(now.Add(2*time.Second), 3, false) {
		t.Error("soon after large data")
	}
	if !timer.look(now.Add(plpmtuEvery), 4, false) {
		t.Error("small data shows that the PLPMTU passes")
	}
}
