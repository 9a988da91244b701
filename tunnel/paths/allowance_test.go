package paths

import "testing"

func TestThreeTimesWhatCame(t *testing.T) {
	var a allowance
	if a.allows(1) {
		t.Error("a place that has sent nothing may be sent a byte")
	}
	a.came = 100
	if !a.allows(300) || a.allows(301) {
		t.Error("not three times as much")
	}
	a.went = 250
	if !a.allows(50) || a.allows(51) {
		t.Error("what went does not count")
	}
}

func TestDataLeavesRoomForAChallenge(t *testing.T) {
	for _, test := range []struct {
		came, went uint64
		want       int
	}{
		{0, 0, 0},
		{10, 0, 0},                  // 30 are less than a challenge
		{100, 0, 300 - messageSize}, //
		{100, messageSize, 300 - 2*messageSize},
		{100, 300 - messageSize, 0},
		{100, 300, 0},
		{100, 900, 0}, // the host offers it, and challenges are not counted
		{1000, 900, 2100 - messageSize},
	} {
		a := allowance{test.came, test.went}
		if got := a.grant(); got != test.want {
			t.Errorf("%d came, %d went: %d are granted, want %d", test.came, test.went, got, test.want)
		}
		if test.want > 0 && (!a.allows(messageSize) || a.allows(messageSize+1)) {
			t.Errorf("%d came, %d went: there is no room for one challenge", test.came, test.went)
		}
		if again := a.grant(); again != 0 {
			t.Errorf("%d are granted twice", again)
		}
	}
}

func TestPlacesAreRemembered(t *testing.T) {
	var p provedPlaces
	for i := range uint16(rememberedPlaces) {
		p.add(addrPort("192.0.2.1", i))
		p.add(addrPort("192.0.2.1", i))
	}
	if !p.has(addrPort("192.0.2.1", 0)) {
		t.Error("the first is forgotten too early")
	}
	p.add(addrPort("192.0.2.1", 999))
	if p.has(addrPort("192.0.2.1", 0)) || !p.has(addrPort("192.0.2.1", 999)) || !p.has(addrPort("192.0.2.1", 1)) {
		t.Error("not the oldest is forgotten")
	}
}
