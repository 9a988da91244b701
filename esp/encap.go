package esp

// Kind is what a datagram on the port is, by its first bytes.
type Kind uint8

const (
	// KindInvalid is a datagram too short to be one of the others.
	KindInvalid Kind = iota
	// KindESP is an ESP packet.
	KindESP
	// KindHandshake is a message behind the non-ESP marker.
	KindHandshake
	// KindKeepalive is a NAT keepalive.
	KindKeepalive
)

// MarkerSize is the length in bytes of the non-ESP marker: four zero bytes
// where an ESP packet has its SPI (RFC 3948 section 2.2).
const MarkerSize = 4

// keepalive is the whole payload of a NAT keepalive (RFC 3948 section 2.3).
const keepalive = 0xff

// Classify returns the kind of a UDP payload. It verifies nothing.
func Classify(datagram []byte) Kind {
	switch {
	case len(datagram) == 1 && datagram[0] == keepalive:
		return KindKeepalive
	case len(datagram) <= MarkerSize:
		return KindInvalid
	case [MarkerSize]byte(datagram) == [MarkerSize]byte{}:
		return KindHandshake
	case len(datagram) < minPacket:
		return KindInvalid
	}
	return KindESP
}

// AppendMarker begins a message that is not ESP.
func AppendMarker(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// AppendKeepalive appends a NAT keepalive.
func AppendKeepalive(dst []byte) []byte { return append(dst, keepalive) }
