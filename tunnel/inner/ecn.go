package inner

import "encoding/binary"

// ECN codepoints (RFC 3168 section 5).
const (
	notECT  = 0
	ect1    = 1
	ect0    = 2
	ce      = 3
	ecnMask = 3
)

// ServiceClass says which fields outer packets copy from inner ones. The zero
// value copies all.
type ServiceClass struct {
	// HideDSCP leaves the DSCP zero (the pipe model of RFC 2983), instead of
	// copying it (the uniform model).
	HideDSCP bool
	// HideECN leaves the ECN field zero (the compatibility mode of RFC 6040
	// section 4.1), instead of copying it (the normal mode).
	HideECN bool
}

// Encapsulate returns the TOS octet or traffic class of the outer packet of an
// inner packet.
func (c ServiceClass) Encapsulate(inner uint8) (outer uint8) {
	outer = inner
	if c.HideDSCP {
		outer &= ecnMask
	}
	if c.HideECN {
		outer &^= ecnMask
	}
	return outer
}

// Decapsulate returns the TOS octet or traffic class with which an inner packet
// goes on: its own DSCP (RFC 4301 section 5.1.2) and an ECN field made of both
// (RFC 6040 section 4.2). Not ok: the packet must be dropped, since it was
// marked as congested and cannot carry the mark.
func Decapsulate(inner, outer uint8) (tos uint8, ok bool) {
	in, out := inner&ecnMask, outer&ecnMask
	switch {
	case in == notECT:
		return inner, out != ce
	case in == ce, out == ce:
		return inner | ce, true
	case in == ect0 && out == ect1:
		return inner&^ecnMask | ect1, true
	}
	return inner, true
}

// SetTOS changes the TOS octet or traffic class of a packet in place, with the
// IPv4 header's checksum.
func SetTOS(p *Packet, tos uint8) {
	if p.TOS == tos {
		return
	}
	p.TOS = tos
	b := p.Bytes
	if p.V6 {
		b[0], b[1] = b[0]&0xf0|tos>>4, b[1]&0x0f|tos<<4
		return
	}
	replace16(b, b[10:12], binary.BigEndian.Uint16(b)&0xff00|uint16(tos))
}

// MarkCongestion marks a packet as congested (CE), in place. It reports whether
// it did: only packets whose sender understands the mark are marked (RFC 3168
// section 5).
func MarkCongestion(p *Packet) bool {
	if p.TOS&ecnMask == notECT {
		return false
	}
	SetTOS(p, p.TOS|ce)
	return true
}
