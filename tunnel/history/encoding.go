package history

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	magic      = 0xf1
	headerSize = 1 + 1 + 4
	maxPayload = 255
	// MaxFrame bounds the encoding of a record, in bytes.
	MaxFrame = headerSize + maxPayload

	// maxName and maxText bound strings, in bytes, so that every record fits a frame.
	maxName = 64
	maxText = 48
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append encodes a record behind dst. Strings that are too long are cut.
func Append(dst []byte, r *Record) []byte {
	start := len(dst)
	dst = append(dst, magic, 0, 0, 0, 0, 0, byte(r.Kind))
	dst = binary.AppendVarint(dst, r.At.UnixMilli())
	dst = appendString(dst, r.Peer, maxName)
	switch r.Kind {
	case Started:
		dst = appendString(dst, r.Version, maxText)
	case ClockSet, Slept, Answers:
		dst = appendMillis(dst, r.Lasted)
	case Flow:
		dst = appendTraffic(appendMillis(dst, r.Lasted), r.Traffic)
	case Resized:
		dst = binary.AppendUvarint(dst, uint64(max(r.From, 0)))
		dst = binary.AppendUvarint(dst, uint64(max(r.To, 0)))
		dst = appendString(dst, r.Cause, maxText)
		dst = appendMillis(dst, r.Lasted)
	case Established:
		dst = appendString(dst, r.Endpoint, maxText)
		dst = appendMillis(dst, r.Lasted)
	case Lost:
		dst = appendString(dst, r.Cause, maxText)
	case Moved:
		dst = appendString(dst, r.Endpoint, maxText)
		dst = appendString(dst, r.Interface, maxText)
		dst = appendString(dst, r.Cause, maxText)
	}
	frame := dst[start:]
	frame[1] = byte(len(frame) - headerSize)
	binary.BigEndian.PutUint32(frame[2:], checksum(frame))
	return dst
}

// checksum is that of a frame's length and payload.
func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[1:2], castagnoli), castagnoli, frame[headerSize:])
}

func appendString(dst []byte, s string, atMost int) []byte {
	if len(s) > atMost {
		s = s[:atMost]
		for len(s) > 0 && !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendMillis(dst []byte, s Seconds) []byte {
	return binary.AppendVarint(dst, time.Duration(s).Round(time.Millisecond).Milliseconds())
}

// Of a span's loss, hundredths of a percent are kept, and of its round-trip time
// microseconds.
const lossUnits, rttUnits = 100, 1000

func appendTraffic(dst []byte, t *Traffic) []byte {
	if t == nil {
		t = new(Traffic)
	}
	for _, n := range []uint64{
		t.TxBytes, t.RxBytes, t.TxPackets, t.RxPackets, uint64(max(t.PLPMTU, 0)),
		units(t.LossPercent, lossUnits), units(t.RTTMillis, rttUnits), t.Handshakes, t.Omitted,
	} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// units returns a figure as a whole number of its fractions.
func units(f, perOne float64) uint64 {
	if !(f > 0) {
		return 0
	}
	return uint64(math.Round(min(f*perOne, math.MaxUint32)))
}

// Decode calls f with the records that data holds, in order, until f returns false. It
// finds them in any content. It returns how many bytes belong to no record.
func Decode(data []byte, f func(*Record) bool) (damaged int) {
	for len(data) > 0 {
		payload := unframe(data)
		if payload == nil {
			damaged++
			data = data[1:]
			continue
		}
		data = data[headerSize+len(payload):]
		if r := parse(payload); r != nil && !f(r) {
			return damaged
		}
	}
	return damaged
}

// unframe returns the payload of the frame that data begins with, nil if it does not.
func unframe(data []byte) []byte {
	if len(data) < headerSize || data[0] != magic || data[1] == 0 || len(data) < headerSize+int(data[1]) {
		return nil
	}
	frame := data[:headerSize+int(data[1])]
	if binary.BigEndian.Uint32(frame[2:]) != checksum(frame) {
		return nil
	}
	return frame[headerSize:]
}

// parse reads a payload, nil if its kind is unknown, or it was not written by Append.
func parse(payload []byte) *Record {
	p := parser{rest: payload[1:]}
	r := &Record{Kind: Kind(payload[0])}
	if !r.Kind.known() {
		return nil
	}
	r.At = time.UnixMilli(p.signed(maxMillis)).UTC()
	r.Peer = p.text()
	switch r.Kind {
	case Started:
		r.Version = p.text()
	case ClockSet, Slept, Answers:
		r.Lasted = p.millis()
	case Flow:
		r.Lasted = p.millis()
		r.Traffic = p.traffic()
	case Resized:
		r.From, r.To = p.size(), p.size()
		r.Cause = p.text()
		r.Lasted = p.millis()
	case Established:
		r.Endpoint = p.text()
		r.Lasted = p.millis()
	case Lost:
		r.Cause = p.text()
	case Moved:
		r.Endpoint, r.Interface, r.Cause = p.text(), p.text(), p.text()
	}
	if p.bad {
		return nil
	}
	return r
}

// maxMillis bounds a time and a duration, in milliseconds: the year 9999 is JSON's last.
const maxMillis = 250_000_000_000_000

// parser reads the fields of a payload. Those behind its end are zero. A checksum may be
// right by chance or on purpose, so nothing is believed.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) unsigned() uint64 {
	if len(p.rest) == 0 {
		return 0
	}
	n, size := binary.Uvarint(p.rest)
	if size <= 0 {
		p.bad, p.rest = true, nil
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

func (p *parser) signed(bound int64) int64 {
	u := p.unsigned()
	n := int64(u>>1) ^ -int64(u&1) // as binary.Varint does
	if n > bound || n < -bound {
		p.bad = true
		return 0
	}
	return n
}

// millis reads a duration. It is at most some centuries, which time.Duration holds.
func (p *parser) millis() Seconds {
	const most = math.MaxInt64 / int64(time.Millisecond) / 2
	return Seconds(time.Duration(p.signed(most)) * time.Millisecond)
}

func (p *parser) size() int {
	n := p.unsigned()
	if n > math.MaxUint16 {
		p.bad = true
		return 0
	}
	return int(n)
}

func (p *parser) text() string {
	n := p.unsigned()
	if n > uint64(len(p.rest)) || !printable(p.rest[:n]) {
		p.bad, p.rest = true, nil
		return ""
	}
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

// printable reports whether a terminal shows a text as it is. The tunnel records no other;
// but somebody else may have written the file, and root looks at it.
func printable(text []byte) bool {
	return utf8.Valid(text) && !bytes.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (p *parser) traffic() *Traffic {
	t := &Traffic{TxBytes: p.unsigned(), RxBytes: p.unsigned(), TxPackets: p.unsigned(), RxPackets: p.unsigned(), PLPMTU: p.size()}
	loss, rtt := p.unsigned(), p.unsigned()
	if loss > math.MaxUint32 || rtt > math.MaxUint32 {
		p.bad = true
	}
	t.LossPercent, t.RTTMillis = float64(loss)/lossUnits, float64(rtt)/rttUnits
	t.Handshakes, t.Omitted = p.unsigned(), p.unsigned()
	return t
}
