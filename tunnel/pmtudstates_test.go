package tunnel

import (
	"testing"

	"fathom/pmtud"
	"fathom/tunnel/status"
)

// TestStatesHaveTheirNames: those of package pmtud are those that the status documents,
// and the metrics have a sample for each.
func TestStatesHaveTheirNames(t *testing.T) {
	if n := int(pmtud.Unreachable) + 1; n != len(status.PMTUDStates) {
		t.Fatalf("%d states, %d names", n, len(status.PMTUDStates))
	}
	for s := pmtud.Disabled; s <= pmtud.Unreachable; s++ {
		if s.String() != status.PMTUDStates[s] {
			t.Errorf("state %v is called %q", s, status.PMTUDStates[s])
		}
	}
}
