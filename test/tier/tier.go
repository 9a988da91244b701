package tier

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// Trait is a property of a test that decides which passes run it.
type Trait int

const (
	// Quick tests run with -short as well.
	Quick Trait = iota
	// Measures: the test compares times or counts allocations, which the race
	// detector changes.
	Measures
	// Long: the test has a full size, for which it asks [Full].
	Long
	// LongOnly: the test runs in the pass long alone, since it takes long.
	LongOnly
	// Superlinks: the test runs over links that carry superpackets, too.
	Superlinks
	// OffloadOnly: the test is about superpackets.
	OffloadOnly
	// EitherWay: what the test shows holds whether or not the tunnel handles
	// superpackets.
	EitherWay
	// Native: the test takes long where the CPU is emulated, and shows nothing
	// about that CPU that other tests do not show.
	Native
)

// environment is the variable that names the pass.
const environment = "FATHOM_PASS"

type pass string

const (
	everything pass = ""
	measure    pass = "measure"
	long       pass = "long"
	packets    pass = "packets"
	superlinks pass = "superlinks"
	emulated   pass = "emulated"
)

var current = pass(os.Getenv(environment))

func init() {
	if !slices.Contains([]pass{everything, measure, long, packets, superlinks, emulated}, current) {
		panic(fmt.Sprintf("%s=%s: there is no such pass", environment, current))
	}
}

// Select leaves the test out unless the pass selects it. It is the first call
// of a test; an end-to-end test makes it even without traits.
func Select(t testing.TB, traits ...Trait) {
	t.Helper()
	has := func(trait Trait) bool { return slices.Contains(traits, trait) }
	switch {
	case testing.Short() && !has(Quick):
		leaveOut(t, "with -short")
	case Race && has(Measures):
		leaveOut(t, "under the race detector: it measures")
	case current != long && has(LongOnly):
		leaveOut(t, "of all passes but long: it takes long")
	case current == measure && !has(Measures):
		leaveOut(t, "of the pass measure: it measures nothing")
	case current == long && !has(Measures) && !has(Long) && !has(LongOnly):
		leaveOut(t, "of the pass long: it has no other size")
	case current == packets && has(OffloadOnly):
		leaveOut(t, "of the pass packets: it is about superpackets")
	case current == packets && has(EitherWay):
		leaveOut(t, "of the pass packets: the same holds either way")
	case current == superlinks && !has(Superlinks):
		leaveOut(t, "of the pass superlinks")
	case current == emulated && has(Native):
		leaveOut(t, "of the pass emulated: it takes long")
	}
}

// Laboratory leaves the test out where no laboratory can be: a kernel does not
// serve the namespaces and devices of an emulated program.
func Laboratory(t testing.TB) {
	t.Helper()
	if current == emulated {
		leaveOut(t, "of the pass emulated: it needs a laboratory")
	}
}

// leaveOut skips a test that the pass does not select.
func leaveOut(t testing.TB, why string) {
	t.Helper()
	t.Attr("tier", "left out")
	t.Skip("left out " + why)
}

// Full reports whether tests run at their full size.
func Full() bool { return current == long }

// OneByOne reports whether tunnels must handle packets one by one.
func OneByOne() bool { return current == packets }

// OverSuperlinks reports whether links must carry superpackets.
func OverSuperlinks() bool { return current == superlinks }

// Figure logs a line that is worth keeping. test/run prints them all at its
// end.
func Figure(t testing.TB, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	t.Attr("figure", line)
}
