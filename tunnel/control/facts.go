package control

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Facts are how an end is set up for the other, and what it sees of it; or a part of that:
// a message must fit the smallest path. Prefixes are divided among the parts, and all else
// is in each.
type Facts struct {
	Token       uint64 // of the request
	Part, Parts int    // counts from 0
	// Truncated says that there are more prefixes than MaxFactsParts hold.
	Truncated bool
	Clock     time.Time      // the wall clock, in milliseconds on the wire
	Seen      netip.AddrPort // where the end that has asked is sent to; invalid: not known
	// PLPMTU is that to the end that has asked, in bytes of the outer IP packet, up to
	// 65535. Settled says that no search is under way, and ClearsDF that probes arrive in
	// fragments.
	PLPMTU            int
	Settled, ClearsDF bool
	// Addresses are inner addresses with their networks, and Allowed the prefixes that are
	// accepted from the end that has asked.
	Addresses, Allowed []netip.Prefix
}

const (
	// PrefixesAPart is how many prefixes of both kinds a part holds at most.
	PrefixesAPart = 20
	// MaxFactsParts bounds the parts.
	MaxFactsParts = 8

	// factsHeaderSize: token, part, parts, flags, PLPMTU, milliseconds, port, address.
	factsHeaderSize = tokenSize + 1 + 1 + 1 + 2 + 8 + 2 + 16
	// maxYear is the last that RFC 3339 can write.
	maxYear = 9999
	// maxPrefixSize: flags, length in bits, address of IPv6.
	maxPrefixSize = 1 + 1 + 16
)

// The flags of a report.
const (
	flagSettled = 1 << iota
	flagFactsClearDF
	flagTruncated
	flagSeen
)

// The flags of a prefix.
const (
	flagPrefixIPv6 = 1 << iota
	flagAllowed
)

// AppendFactsReport appends a whole FactsReport message.
func AppendFactsReport(dst []byte, f *Facts) []byte {
	flags := flag(f.Settled, flagSettled) | flag(f.ClearsDF, flagFactsClearDF) | flag(f.Truncated, flagTruncated) | flag(f.Seen.IsValid(), flagSeen)
	value := binary.BigEndian.AppendUint64(nil, f.Token)
	value = append(value, byte(f.Part), byte(f.Parts), flags)
	value = binary.BigEndian.AppendUint16(value, upTo16(f.PLPMTU))
	value = binary.BigEndian.AppendUint64(value, uint64(f.Clock.UnixMilli()))
	value = binary.BigEndian.AppendUint16(value, f.Seen.Port())
	var seen [16]byte
	if f.Seen.IsValid() {
		seen = f.Seen.Addr().As16()
	}
	value = append(value, seen[:]...)
	room := PrefixesAPart
	for kind, list := range [][]netip.Prefix{f.Addresses, f.Allowed} {
		list = list[:min(len(list), room)]
		room -= len(list)
		for _, p := range list {
			value = append(value, flag(p.Addr().Is6(), flagPrefixIPv6)|flag(kind == 1, flagAllowed), byte(p.Bits()))
			value = append(value, p.Addr().AsSlice()...)
		}
	}
	return appendElement(appendHeader(dst), FactsReport, value)
}

// Facts returns the content of a FactsReport. The error is ErrMalformed.
func (e Element) Facts() (f Facts, err error) {
	v := e.Value
	flags := v[10]
	f = Facts{Token: e.Token(), Part: int(v[8]), Parts: int(v[9]), Settled: flags&flagSettled != 0, ClearsDF: flags&flagFactsClearDF != 0,
		Truncated: flags&flagTruncated != 0, PLPMTU: int(binary.BigEndian.Uint16(v[11:])), Clock: time.UnixMilli(int64(binary.BigEndian.Uint64(v[13:])))}
	if f.Part >= f.Parts || f.Parts > MaxFactsParts || f.Clock.Year() < 1970 || f.Clock.Year() > maxYear {
		return f, ErrMalformed
	}
	if flags&flagSeen != 0 {
		f.Seen = netip.AddrPortFrom(netip.AddrFrom16([16]byte(v[23:])).Unmap(), binary.BigEndian.Uint16(v[21:]))
	}
	for v = v[factsHeaderSize:]; len(v) > 0; {
		length := 4
		if v[0]&flagPrefixIPv6 != 0 {
			length = 16
		}
		if len(v) < 2+length || len(f.Addresses)+len(f.Allowed) == PrefixesAPart {
			return f, ErrMalformed
		}
		addr, _ := netip.AddrFromSlice(v[2 : 2+length])
		prefix := netip.PrefixFrom(addr, int(v[1]))
		if !prefix.IsValid() {
			return f, ErrMalformed
		}
		if v[0]&flagAllowed != 0 {
			f.Allowed = append(f.Allowed, prefix)
		} else {
			f.Addresses = append(f.Addresses, prefix)
		}
		v = v[2+length:]
	}
	return f, nil
}
