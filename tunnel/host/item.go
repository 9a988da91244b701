package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Kind is a kind of thing that a Link owns.
type Kind string

// The kinds, in the order in which they are put right: guards first, since a
// packet may leave in clear text without them, then each kind before those that
// the kernel takes away with it.
const (
	KindGuard   Kind = "guard"   // see guard_linux.go
	KindRule    Kind = "rule"    // see rules_linux.go
	KindDevice  Kind = "device"  // the interface itself
	KindMTU     Kind = "mtu"     // of the interface
	KindUp      Kind = "up"      // the interface is
	KindAddress Kind = "address" // of the interface
	KindRoute   Kind = "route"   // into the interface
)

var order = []Kind{KindGuard, KindRule, KindDevice, KindMTU, KindUp, KindAddress, KindRoute}

// keepsIn reports whether a packet may leave in clear text without the thing.
func (k Kind) keepsIn() bool { return k == KindGuard || k == KindRule }

// mostRest bounds how long a thing of the kind is left wrong.
func (k Kind) mostRest() time.Duration {
	if k.keepsIn() {
		return maxGuardRest
	}
	return maxRest
}

// item is one thing that a Link owns.
type item struct {
	kind   Kind
	prefix netip.Prefix // of an address, a route or a guard; of a rule all addresses of its family
	number int          // of a rule its priority, of a guard its table
}

// mainTable is the number of the main routing table.
const mainTable = 254

// guardIn is a guard of ours in a table as a thing that a Link owns.
func guardIn(prefix netip.Prefix, table int) item {
	return item{kind: KindGuard, prefix: prefix, number: table}
}

func (i item) String() string {
	switch i.kind {
	case KindGuard:
		if i.number != mainTable {
			return fmt.Sprintf("guard route to %s in table %d", i.prefix, i.number)
		}
		return "guard route to " + i.prefix.String()
	case KindRule:
		return fmt.Sprintf("rule %d for %s", i.number, i.prefix)
	case KindMTU:
		return "MTU of the device"
	case KindUp:
		return "device set down"
	case KindAddress, KindRoute:
		return fmt.Sprintf("%s %s", i.kind, i.prefix)
	}
	return string(i.kind)
}

// compare orders items as they are put right.
func (i item) compare(other item) int {
	if i.kind != other.kind {
		return slices.Index(order, i.kind) - slices.Index(order, other.kind)
	}
	return cmp.Or(i.prefix.Compare(other.prefix), i.number-other.number)
}
