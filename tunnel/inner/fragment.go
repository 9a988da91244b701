package inner

import "encoding/binary"

// maxIPv4Packet is the largest IPv4 packet, fragmented or not, in bytes.
const maxIPv4Packet = 65535

// Fragmenter cuts an IPv4 packet without DF into fragments (RFC 791 section
// 2.3 and 3.2), also one that is a fragment already. The zero value has no
// fragment. It is reused from packet to packet and allocates nothing.
type Fragmenter struct {
	packet []byte // not changed
	header int    // length of its header
	// later is the header of all fragments but the first: options that are
	// not to be copied are left out.
	later     [60]byte
	laterSize int
	offset    int // of the next fragment's payload in the packet's
	mtu       int
	done      bool
}

// Fragment prepares to cut p into fragments of at most mtu bytes. The packet's
// checksums must be complete, and it must stay unchanged until the last
// fragment is written. The error is ErrDontFragment, ErrTooSmall, ErrCannotCut
// for a damaged header, or ErrMalformed for a fragment that reaches beyond the
// largest packet: its parts would have no valid offset.
func (f *Fragmenter) Fragment(p *Packet, mtu int) error {
	*f = Fragmenter{done: true}
	if p.V6 || p.DontFragment {
		return ErrDontFragment
	}
	if mtu < p.Header+8 {
		return ErrTooSmall
	}
	if int(binary.BigEndian.Uint16(p.Bytes[6:])&ipv4Offset)*8+len(p.Bytes) > maxIPv4Packet {
		return ErrMalformed
	}
	if !headerValid(p) {
		return ErrCannotCut
	}
	f.packet, f.header, f.mtu, f.done = p.Bytes, p.Header, mtu, false
	f.laterSize = copy(f.later[:], p.Bytes[:ipv4HeaderSize])
	for options := p.Bytes[ipv4HeaderSize:p.Header]; ; {
		option, rest, _ := nextOption(options)
		if option == nil {
			break // malformed options stay in the first fragment alone
		}
		if option[0]&optionCopied != 0 {
			f.laterSize += copy(f.later[f.laterSize:], option)
		}
		options = rest
	}
	for f.laterSize%4 != 0 {
		f.later[f.laterSize] = optionEnd
		f.laterSize++
	}
	f.later[0] = 4<<4 | byte(f.laterSize/4)
	return nil
}

// Next appends the next fragment to dst. It returns false when no fragment is
// left.
func (f *Fragmenter) Next(dst []byte) ([]byte, bool) {
	if f.done {
		return dst, false
	}
	header := f.packet[:f.header]
	if f.offset > 0 {
		header = f.later[:f.laterSize]
	}
	payload := f.packet[f.header+f.offset:]
	if len(header)+len(payload) > f.mtu {
		payload = payload[:(f.mtu-len(header))&^7]
	}
	start := len(dst)
	dst = append(dst, header...)
	dst = append(dst, payload...)
	fragment := dst[start:]
	f.done = f.header+f.offset+len(payload) == len(f.packet)

	binary.BigEndian.PutUint16(fragment[2:], uint16(len(fragment)))
	was := binary.BigEndian.Uint16(f.packet[6:])
	flags := was&^ipv4Offset | (was&ipv4Offset + uint16(f.offset/8))
	if !f.done {
		flags |= ipv4MF
	}
	binary.BigEndian.PutUint16(fragment[6:], flags)
	setIPv4Checksum(fragment[:len(header)])
	f.offset += len(payload)
	return dst, true
}
