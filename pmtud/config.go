package pmtud

import "time"

// A Mode says how a Discovery searches.
type Mode uint8

const (
	// Fan sends several probes at once, one fan a round trip.
	Fan Mode = iota
	// Sequential keeps one probe in flight, to the letter of RFC 8899, 8.
	Sequential
	// Off sends nothing: the PLPMTU is MAX_PLPMTU.
	Off
)

// A Config holds the settings of a Discovery. A zero field means its default.
// Sizes are bytes of the outer IP packet.
type Config struct {
	Mode Mode

	// Path is the number by which SentLog.Record names the path. Those of one peer
	// have different ones.
	Path uint16

	// Counts are shared with other Discoveries of the peer; nil: with none.
	Counts *Counts

	// A packet can have the sizes that are Residue modulo Step. The zero values
	// stand for ESP's alignment, which leaves multiples of four.
	Step, Residue int

	BasePLPMTU int // BASE_PLPMTU (RFC 8899, 5.1.2), below MaxPLPMTU
	MinPLPMTU  int // MIN_PLPMTU (5.1.2); at least 1280 is used over IPv6
	MaxPLPMTU  int // the configured part of MAX_PLPMTU (5.1.2); 0: the egress MTU alone

	MaxProbes  int           // MAX_PROBES (5.1.2)
	ProbeTimer time.Duration // PROBE_TIMER (5.1.1), at least a second
	RaiseTimer time.Duration // PMTU_RAISE_TIMER (5.1.1)
}

// An Endpoint describes the way to the peer's address.
type Endpoint struct {
	IPv6      bool // the outer IP version
	EgressMTU int  // MTU of the interface or route towards the peer, bytes of the outer IP packet
}

// Defaults, and the numbers that the RFCs leave to an implementation.
const (
	defaultStep       = 4    // ESP's alignment (RFC 4303, 2.4)
	baseIPv4          = 1228 // a UDP payload of 1200 bytes (RFC 8899, 5.1.2)
	minIPv4           = 576  // every IPv4 host can reassemble it (RFC 1122, 3.3.2)
	minIPv6           = 1280 // the minimum MTU of an IPv6 link (RFC 8200, 5)
	defaultMaxProbes  = 3
	defaultProbeTimer = 15 * time.Second
	minProbeTimer     = time.Second
	defaultRaise      = 600 * time.Second

	maxPacket = 65535 // an IP packet's total length has 16 bits

	// A fan is at most an initial window: RFC 9002, 7.2.
	fanPackets = 10
	fanBytes   = 14720
	minFan     = 3

	extraProbes       = 2                      // beyond MAX_PROBES where probes are lost by chance
	minCopies         = 2                      // probes of the size in question in a confirming fan
	maxCopies         = 4                      // at most, where much is lost by chance
	firstRaise        = 5 * time.Second        // after a reduction; doubles up to PMTU_RAISE_TIMER
	verifyInterval    = time.Second            // between verifications for PTBs that are not validated
	maxVerifyInterval = time.Minute            // at most, after contradicted ones
	checkInterval     = 100 * time.Millisecond // between verifications for a few lost packets
	maxCheckInterval  = 2 * time.Second        // at most, after contradicted ones
	ptbContradicted   = 3                      // contradicted PTBs before all are ignored
	ptbIgnored        = 10 * time.Minute
	requestInterval   = 20 * time.Millisecond // between report requests, at least
	dataPerRequest    = 2400                  // bytes of data that are worth a request at once
	maxDeferred       = 3                     // intervals that a request waits for more data
	reorderPackets    = 3                     // RFC 9002, 6.1.1
	minEvidence       = 3                     // lost large packets that raise suspicion
	maxEvidence       = 24
	minUnanswered     = 3                      // report requests in a row
	refusedPause      = 500 * time.Millisecond // between fans of which the kernel refuses probes, at least
	historyEvents     = 32
	rememberedProbes  = 64
	rememberedFails   = 64
)

// withDefaults fills the fields that are zero.
func (c Config) withDefaults() Config {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&c.Step, defaultStep)
	or(&c.MaxProbes, defaultMaxProbes)
	or(&c.MaxPLPMTU, maxPacket)
	if c.Counts == nil {
		c.Counts = new(Counts)
	}
	if c.ProbeTimer == 0 {
		c.ProbeTimer = defaultProbeTimer
	}
	c.ProbeTimer = max(c.ProbeTimer, minProbeTimer)
	if c.RaiseTimer <= 0 {
		c.RaiseTimer = defaultRaise
	}
	c.Residue = ((c.Residue % c.Step) + c.Step) % c.Step
	return c
}
