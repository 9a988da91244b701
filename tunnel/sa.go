package tunnel

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"fathom/crypto"
	"fathom/esp"
	"fathom/pmtud"
	"fathom/tunnel/inner"
)

// inboundSA is the receiving half of a pair. The receive loops find it under its
// SPI.
type inboundSA struct {
	spi  uint32
	peer *peer
	// used is set when an authenticated packet has arrived on this SA, which
	// proves that the peer has both SAs of the pair. The control goroutine resets it
	// to see whether more arrive on a pair that retires.
	used atomic.Bool
	// mu serialises the receive loops: a peer that moves may have packets on
	// two sockets. It is taken once a batch and is otherwise uncontended.
	mu        sync.Mutex
	in        *esp.Inbound      // guarded by mu
	fragments inner.Reassembler // guarded by mu
	// reported belongs to the control goroutine.
	reported reported
}

// outboundSA is the sending half of a pair, with the sizes of what was sent on
// it. Any goroutine may seal with it.
type outboundSA struct {
	*esp.Outbound
	sizes pmtud.SentLog
}

// saPair is the outcome of one handshake: one SA for each direction. All fields
// but those that inboundSA and outboundSA share belong to the control goroutine.
type saPair struct {
	inbound     *inboundSA
	outbound    *outboundSA
	rank        rank
	initiator   bool // this end sent the initiation
	own, remote crypto.PublicKey
	superior    bool // this end's public key is greater than remote
	established time.Time
	// answered is where the response went if this end sent it: the first packet
	// on the pair proves that the peer receives there.
	answered netip.AddrPort
	// local is the address of ours that the last message of the handshake came to.
	local netip.Addr
	// rtt is how long the response took if this end received it.
	rtt time.Duration

	// features are those that the peer has named. decides says that this end has named
	// featureDecides, and that the peer can be told decisions: it understands challenges.
	features uint64
	decides  bool

	// proven: the peer has sent on the pair, so it has it.
	proven bool
	// doubted: this end has received the response, and then no answer on the pair.
	doubted bool
	// echoes counts those that were sent on the pair to have the peer prove it, and
	// echoAt is when the next is due.
	echoes int
	echoAt time.Time
	// retires is when the pair ends unless packets arrive on it, zero: never.
	retires time.Time
	// over: the pair ends now.
	over bool
	// lasts is an age up to which the pair lasts though the configuration has a shorter
	// one by now: a reload leaves it the time for its replacement.
	lasts time.Duration
	// counted: it has been the one to send on.
	counted bool
}

// rank is the place of a pair in an order that both ends know, whenever and from
// wherever the messages of the handshakes have arrived.
type rank struct {
	// generation is what the ends have agreed on in the handshake: higher than that
	// of any pair that either of them had.
	generation uint64
	// greater: the end with the greater public key sent the initiation. It decides
	// between two pairs of one generation, whose handshakes have crossed.
	greater bool
}

// below reports whether pairs of the rank r give way to those of the rank o.
func (r rank) below(o rank) bool {
	return r.generation < o.generation || r.generation == o.generation && !r.greater && o.greater
}

// newSAPair makes the SAs of a completed handshake.
func newSAPair(p *peer, keys crypto.Keys, initiator bool, now time.Time) (*saPair, error) {
	out, err := esp.NewOutbound(keys.SendSPI, esp.Suite(keys.Suite), keys.Send[:])
	if err != nil {
		return nil, fmt.Errorf("outbound SA: %w", err)
	}
	in, err := esp.NewInbound(keys.ReceiveSPI, esp.Suite(keys.Suite), keys.Receive[:])
	if err != nil {
		return nil, fmt.Errorf("inbound SA: %w", err)
	}
	inbound := &inboundSA{spi: keys.ReceiveSPI, peer: p, in: in}
	// Add is called under inbound.mu, which guards the window too.
	inbound.fragments.Arrived = func(seq uint32) bool { return in.Window().Check(seq) == esp.ErrReplay }
	return &saPair{
		inbound:     inbound,
		outbound:    &outboundSA{Outbound: out},
		rank:        rank{generation: keys.Generation},
		initiator:   initiator,
		established: now,
	}, nil
}

// hardAge is the age at which the pair ends, by that of the configuration.
func (p *saPair) hardAge(configured time.Duration) time.Duration { return max(p.lasts, configured) }

// rekeyAt is when the pair is to be replaced, as far as can be known now: sooner
// if it sends more packets than it may. The end that has initiated the pair
// comes first, the other only when that is overdue.
func (p *saPair) rekeyAt(l crypto.Lifetime) time.Time {
	age := l.RekeyAge
	if p.outbound.Packets() >= l.RekeyPackets {
		age = rekeyPause
	}
	if !p.initiator {
		age += l.RekeyAge / 8
	}
	return p.established.Add(age)
}
