package inner

import "encoding/binary"

// OffloadSize is the length in bytes of a virtio_net_hdr.
const OffloadSize = 10

// GSO is the kind of a superpacket (virtio_net_hdr.gso_type).
type GSO uint8

const (
	GSONone  GSO = 0
	GSOTCPv4 GSO = 1
	GSOTCPv6 GSO = 4
	GSOUDP   GSO = 5 // VIRTIO_NET_HDR_GSO_UDP_L4

	gsoECN = 0x80 // a bit beside the kind: CWR is set
)

const flagNeedsChecksum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM

// Offload is the content of a virtio_net_hdr: the work on the packet behind it
// that is left to the receiver. The zero value is an ordinary, complete packet.
type Offload struct {
	// NeedsChecksum: the checksum field at ChecksumStart+ChecksumOffset holds
	// the sum of the pseudo-header alone; the rest is from ChecksumStart on.
	NeedsChecksum                 bool
	ChecksumStart, ChecksumOffset uint16
	// Kind, SegmentSize: a superpacket, with SegmentSize bytes of TCP or UDP
	// payload in each segment but the last.
	Kind        GSO
	SegmentSize uint16
	// HeaderSize is the length of all headers. The kernel's own value need not
	// be right and is not relied on.
	HeaderSize uint16
}

// DecodeOffload reads a virtio_net_hdr of OffloadSize bytes, in the host's
// byte order.
func DecodeOffload(b []byte) Offload {
	return Offload{
		NeedsChecksum:  b[0]&flagNeedsChecksum != 0,
		Kind:           GSO(b[1] &^ gsoECN),
		HeaderSize:     binary.NativeEndian.Uint16(b[2:]),
		SegmentSize:    binary.NativeEndian.Uint16(b[4:]),
		ChecksumStart:  binary.NativeEndian.Uint16(b[6:]),
		ChecksumOffset: binary.NativeEndian.Uint16(b[8:]),
	}
}

// Encode writes a virtio_net_hdr of OffloadSize bytes.
func (o Offload) Encode(b []byte) {
	b[0], b[1] = 0, byte(o.Kind)
	if o.NeedsChecksum {
		b[0] = flagNeedsChecksum
	}
	binary.NativeEndian.PutUint16(b[2:], o.HeaderSize)
	binary.NativeEndian.PutUint16(b[4:], o.SegmentSize)
	binary.NativeEndian.PutUint16(b[6:], o.ChecksumStart)
	binary.NativeEndian.PutUint16(b[8:], o.ChecksumOffset)
}

// Complete computes a checksum that the host has left to us, in place. o does not
// describe the packet afterwards, so it must not be cut by o. The error is
// ErrMalformed.
func (o Offload) Complete(packet []byte) error {
	if !o.NeedsChecksum {
		return nil
	}
	start := int(o.ChecksumStart)
	field := start + int(o.ChecksumOffset)
	if field+2 > len(packet) {
		return ErrMalformed
	}
	s := sum(0).add(packet[start:])
	s.putChecksum(packet[field:])
	if o.ChecksumOffset == udpChecksum && packet[field] == 0 && packet[field+1] == 0 {
		packet[field], packet[field+1] = 0xff, 0xff // zero means none (RFC 768)
	}
	return nil
}

// Where the checksum is in a TCP and a UDP header.
const (
	tcpChecksum = 16
	udpChecksum = 6
)
