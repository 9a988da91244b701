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
