package control

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
)

// HopsState says what a HopsReport has to tell.
type HopsState uint8

const (
	// HopsUnderWay: the measurement is not over yet.
	HopsUnderWay HopsState = iota
	// HopsDone: the report holds the result, or a part of it.
	HopsDone
	// HopsRefused: there were too many requests of late.
	HopsRefused

	hopsStates = iota // their number
)

// HopsResult is what an end has measured of the path to the end that has asked, or one
// part of that: a message must fit the smallest path.
type HopsResult struct {
	Token             uint64 // of the request
	State             HopsState
	Part, Parts       int // counts from 0
	Reached, Complete bool
	ClearsDF          bool
	Fans, Probes      int
	Took              time.Duration // in milliseconds on the wire
	Hops              []Hop
}

// Hop is one of its hops: see package hops.
type Hop struct {
	Peer, Far bool // Far: it is the peer, and nobody knows how many hops away
	Tells     bool
	Addr      netip.Addr    // invalid: none
	RoundTrip time.Duration // in microseconds on the wire
	// Sizes in bytes of the outer IP packet, up to 65535.
	Size, Fails, Told int
}

const (
	// HopsAPart is how many hops a part holds at most.
	HopsAPart = 10
	// MaxHopsParts bounds the parts.
	MaxHopsParts = 4

	// hopsHeaderSize: token, state, part, parts, flags, fans, probes, milliseconds.
	hopsHeaderSize = tokenSize + 1 + 1 + 1 + 1 + 2 + 2 + 4
	// hopHeaderSize: flags, microseconds, three sizes. An address follows.
	hopHeaderSize = 1 + 4 + 3*2
)

// The flags of a report.
const (
	flagReached = 1 << iota
	flagComplete
	flagClearsDF
)

// The flags of a hop.
const (
	flagIPv4 = 1 << iota
	flagIPv6
	flagPeer
	flagFar
	flagTells
)

// AppendHopsReport appends a whole HopsReport message.
func AppendHopsReport(dst []byte, r *HopsResult) []byte {
	flags := flag(r.Reached, flagReached) | flag(r.Complete, flagComplete) | flag(r.ClearsDF, flagClearsDF)
	value := binary.BigEndian.AppendUint64(nil, r.Token)
	value = append(value, byte(r.State), byte(r.Part), byte(r.Parts), flags)
	value = binary.BigEndian.AppendUint16(value, upTo16(r.Fans))
	value = binary.BigEndian.AppendUint16(value, upTo16(r.Probes))
	value = binary.BigEndian.AppendUint32(value, uint32(min(r.Took.Milliseconds(), math.MaxUint32)))
	for i := range r.Hops[:min(len(r.Hops), HopsAPart)] {
		value = r.Hops[i].append(value)
	}
	return appendElement(appendHeader(dst), HopsReport, value)
}

func (h *Hop) append(value []byte) []byte {
	value = append(value, flag(h.Addr.Is4(), flagIPv4)|flag(h.Addr.Is6(), flagIPv6)|flag(h.Peer, flagPeer)|flag(h.Far, flagFar)|flag(h.Tells, flagTells))
	value = binary.BigEndian.AppendUint32(value, uint32(min(h.RoundTrip.Microseconds(), math.MaxUint32)))
	for _, size := range []int{h.Size, h.Fails, h.Told} {
		value = binary.BigEndian.AppendUint16(value, upTo16(size))
	}
	return append(value, h.Addr.AsSlice()...)
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

func upTo16(n int) uint16 { return uint16(min(max(n, 0), math.MaxUint16)) }

// Hops returns the content of a HopsReport. The error is ErrMalformed.
func (e Element) Hops() (r HopsResult, err error) {
	v := e.Value
	r = HopsResult{Token: e.Token(), State: HopsState(v[8]), Part: int(v[9]), Parts: int(v[10]),
		Reached: v[11]&flagReached != 0, Complete: v[11]&flagComplete != 0, ClearsDF: v[11]&flagClearsDF != 0,
		Fans: int(binary.BigEndian.Uint16(v[12:])), Probes: int(binary.BigEndian.Uint16(v[14:])),
		Took: time.Duration(binary.BigEndian.Uint32(v[16:])) * time.Millisecond}
	if r.State >= hopsStates || r.Parts > MaxHopsParts || r.State == HopsDone && r.Part >= r.Parts {
		return r, ErrMalformed
	}
	for v = v[hopsHeaderSize:]; len(v) > 0; {
		var h Hop
		if v, err = h.parse(v); err != nil || len(r.Hops) == HopsAPart {
			return r, ErrMalformed
		}
		r.Hops = append(r.Hops, h)
	}
	return r, nil
}

// parse reads a hop, and returns what follows it.
func (h *Hop) parse(v []byte) (rest []byte, err error) {
	if len(v) < hopHeaderSize {
		return nil, ErrMalformed
	}
	flags := v[0]
	*h = Hop{Peer: flags&flagPeer != 0, Far: flags&flagFar != 0, Tells: flags&flagTells != 0,
		RoundTrip: time.Duration(binary.BigEndian.Uint32(v[1:])) * time.Microsecond,
		Size:      int(binary.BigEndian.Uint16(v[5:])), Fails: int(binary.BigEndian.Uint16(v[7:])), Told: int(binary.BigEndian.Uint16(v[9:]))}
	length := 0
	switch flags & (flagIPv4 | flagIPv6) {
	case flagIPv4:
		length = 4
	case flagIPv6:
		length = 16
	case flagIPv4 | flagIPv6:
		return nil, ErrMalformed
	}
	v = v[hopHeaderSize:]
	if len(v) < length {
		return nil, ErrMalformed
	}
	h.Addr, _ = netip.AddrFromSlice(v[:length])
	return v[length:], nil
}
