package history

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// A Kind says what a record is about.
type Kind uint8

// The kinds of records. Their numbers are in files: new ones are added at the end.
const (
	Started     Kind = 1 + iota // the tunnel has started: Version
	Stopped                     // the tunnel has ended, and has said so
	ClockSet                    // the wall clock was set, by Lasted: forward, or back if negative
	Slept                       // the host was suspended, for Lasted
	Flow                        // what flowed: Traffic, in a time of Lasted that began at At
	Resized                     // the PLPMTU changed: From, To, Cause; Lasted until it was settled
	Established                 // the peer has an SA pair: Endpoint; Lasted: the outage before, 0 for none
	Lost                        // the peer has no SA pair any more: Cause
	Silent                      // the peer does not answer
	Answers                     // the peer answers again, after Lasted
	Moved                       // the peer is sent to elsewhere, or by another interface: Endpoint, Interface, Cause
)

var kindNames = [...]string{
	Started: "started", Stopped: "stopped", ClockSet: "clock_set", Slept: "slept", Flow: "traffic", Resized: "plpmtu",
	Established: "established", Lost: "lost", Silent: "silent", Answers: "answers", Moved: "moved",
}

// String returns the name of the kind in JSON.
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

func (k Kind) known() bool { return k > 0 && int(k) < len(kindNames) }

// MarshalText writes the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the name.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames[:], string(text))
	if i <= 0 {
		return fmt.Errorf("%q is no kind of record", text)
	}
	*k = Kind(i)
	return nil
}

// Seconds is a duration that JSON shows in seconds, to the millisecond.
type Seconds time.Duration

// MarshalJSON writes the seconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(s).Round(time.Millisecond)) / float64(time.Second))
}

// UnmarshalJSON reads the seconds.
func (s *Seconds) UnmarshalJSON(data []byte) error {
	var f float64
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	if math.Abs(f) > math.MaxInt64/2/float64(time.Second) {
		return fmt.Errorf("%v seconds are too many", f)
	}
	*s = Seconds(math.Round(f*1000) * float64(time.Millisecond))
	return nil
}

// String formats the duration as time.Duration does.
func (s Seconds) String() string { return time.Duration(s).String() }

// A Record is one entry of a history: an event, or what flowed in a span of time. The
// kind says which fields have a meaning; the others are zero.
type Record struct {
	// At is when it happened by the wall clock, and for a kind that lasted when it began.
	At time.Time `json:"at"`
	// Peer is the name of the peer; empty: the record is about the tunnel.
	Peer string `json:"peer,omitempty"`
	// Kind is "started", "stopped", "clock_set", "slept" (the host was suspended),
	// "traffic" (what flowed), "plpmtu" (it changed), "established", "lost" (the peer has no
	// SA pair any more), "silent" (the peer does not answer), "answers" (it does again) or
	// "moved" (the peer is sent to elsewhere, or by another interface).
	Kind Kind `json:"kind"`
	// Lasted is the length of a span of "traffic"; how long it took until a new PLPMTU was
	// settled; the outage before "established" and "answers"; by how much the clock was
	// set, negative for back; or how long the host slept. In seconds.
	Lasted Seconds `json:"seconds,omitempty"`
	// From and To are a PLPMTU before and after its change, in bytes of the outer IP
	// packet.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
	// Cause is why a PLPMTU changed, a peer was lost, or moved.
	Cause string `json:"cause,omitempty"`
	// Endpoint is where the peer is, host:port.
	Endpoint string `json:"endpoint,omitempty"`
	// Interface is by which one it is sent to, where that is known.
	Interface string `json:"interface,omitempty"`
	// Version is that of the program that started.
	Version string `json:"version,omitempty"`
	// Traffic is what flowed.
	Traffic *Traffic `json:"traffic,omitempty"`
}

// Traffic is what was exchanged with a peer in a span of time: inner packets and their
// bytes.
type Traffic struct {
	TxBytes   uint64 `json:"tx_bytes"`   // sent
	RxBytes   uint64 `json:"rx_bytes"`   // received
	TxPackets uint64 `json:"tx_packets"` // sent
	RxPackets uint64 `json:"rx_packets"` // received
	// PLPMTU is that at the end of the span, in bytes of the outer IP packet; 0: unknown.
	PLPMTU int `json:"plpmtu"`
	// LossPercent is the loss of data packets that the peer's receive reports told of at
	// the end of the span, for reasons other than their size.
	LossPercent float64 `json:"loss_percent"`
	// RTTMillis is the smoothed round-trip time at the end of the span, in milliseconds;
	// 0: unknown.
	RTTMillis float64 `json:"rtt_ms"`
	// Handshakes counts the SA pairs that were set up.
	Handshakes uint64 `json:"handshakes"`
	// Omitted counts the events that were too many to be recorded.
	Omitted uint64 `json:"omitted_events,omitempty"`
}

// End returns when a record's span of time is over: At for all kinds but Flow.
func (r *Record) End() time.Time {
	if r.Kind == Flow {
		return r.At.Add(time.Duration(r.Lasted))
	}
	return r.At
}
