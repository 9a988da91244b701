package inner

import "encoding/binary"

// minMSS is the least that an MSS is lowered to, in bytes. Some hosts take no
// smaller one (216 on BSD), and no path needs it: the narrowest carries 514
// bytes.
const minMSS = 256

// MSS returns the MSS (RFC 9293 section 3.7.1) with which TCP packets fit an
// inner MTU of mtu bytes, at least minMSS. It may be less than the 536 and 1220
// bytes that a host without the option is sent: a sender heeds it all the same,
// and what it sends by its own lights is cut.
func MSS(v6 bool, mtu int) int {
	if v6 {
		return max(mtu-ipv6HeaderSize-tcpHeaderSize, minMSS)
	}
	return max(mtu-ipv4HeaderSize-tcpHeaderSize, minMSS)
}

// ClampMSS lowers the MSS option of a SYN or SYN-ACK, in place, to what fits
// an inner MTU of mtu bytes, and reports whether it did. It is never raised,
// and never lowered below minMSS. A SYN without the option stays without: its
// sender gets segments of the default size at most, which fits nearly every
// path. TCP-AO covers the options (RFC 5925 section 5.1), so a SYN with
// TCP-AO stays as it is; TCP MD5 does not. partial says that the host has left
// the checksum to be completed later; it then covers the change by itself.
func ClampMSS(p *Packet, mtu int, partial bool) bool {
	if p.Protocol != protoTCP || p.LaterFragment {
		return false
	}
	tcp := p.Bytes[p.Header:]
	if len(tcp) < tcpHeaderSize || tcp[13]&tcpSYN == 0 {
		return false
	}
	length := int(tcp[12]>>4) * 4
	if length < tcpHeaderSize || length > len(tcp) {
		return false
	}
	most := MSS(p.V6, mtu)
	if hasOption(tcp[tcpHeaderSize:length], optionAO) {
		return false
	}
	for options := tcp[tcpHeaderSize:length]; ; {
		option, rest, _ := nextOption(options)
		if option == nil {
			return false
		}
		if option[0] == optionMSS && len(option) == 4 {
			if int(binary.BigEndian.Uint16(option[2:])) <= most {
				return false
			}
			setMSS(tcp, length-len(rest)-2, uint16(most), partial)
			return true
		}
		options = rest
	}
}

// setMSS writes the value, which may be at an odd offset.
func setMSS(tcp []byte, at int, mss uint16, partial bool) {
	if partial {
		binary.BigEndian.PutUint16(tcp[at:], mss)
		return
	}
	checksum := tcp[tcpChecksum : tcpChecksum+2]
	if at%2 == 0 {
		replace16(tcp[at:], checksum, mss)
		return
	}
	// Two words are touched, one byte of each.
	first := binary.BigEndian.Uint16(tcp[at-1:])
	second := binary.BigEndian.Uint16(tcp[at+1:])
	replace16(tcp[at-1:], checksum, first&0xff00|mss>>8)
	replace16(tcp[at+1:], checksum, mss<<8|second&0xff)
}
