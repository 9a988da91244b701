package inner

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func syn(t testing.TB, ip network, options ...layers.TCPOption) []byte {
	t.Helper()
	return tcpPacket(t, ip, &layers.TCP{SrcPort: 40001, DstPort: 40002, SYN: true, Window: 500, Options: options}, nil)
}

func mssOption(mss int) layers.TCPOption {
	return layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{byte(mss >> 8), byte(mss)}}
}

func TestClampMSS(t *testing.T) {
	nop := layers.TCPOption{OptionType: layers.TCPOptionKindNop, OptionLength: 1}
	v4, v6 := ip4(layers.IPProtocolTCP), ip6(layers.IPProtocolTCP)
	for _, test := range []struct {
		name string
		b    []byte
		mtu  int
		want int // 0: unchanged
	}{
		{"IPv4 is lowered to what fits", syn(t, v4, mssOption(1460)), 1400, 1360},
		{"IPv6 is lowered to what fits", syn(t, v6, mssOption(1440)), 1400, 1340},
		{"an odd offset", syn(t, v4, nop, mssOption(1460)), 1400, 1360},
		{"IPv6 at an odd offset", syn(t, v6, nop, mssOption(1441)), 1401, 1341},
		{"it is never raised", syn(t, v4, mssOption(1000)), 1400, 0},
		{"what fits exactly stays", syn(t, v4, mssOption(1360)), 1400, 0},
		{"the narrowest path, IPv4", syn(t, v4, mssOption(1460)), 512, 472},
		{"the narrowest path, IPv6", syn(t, v6, mssOption(1440)), 512, 452},
		{"never below the least", syn(t, v4, mssOption(1460)), 200, 256},
		{"one below the least stays", syn(t, v4, mssOption(200)), 200, 0},
		{"no option", syn(t, v4), 1400, 0},
		{"TCP-AO covers the option", syn(t, v4, mssOption(1460), layers.TCPOption{OptionType: optionAO, OptionLength: 16, OptionData: make([]byte, 14)}), 1400, 0},
		{"TCP MD5 does not", syn(t, v4, mssOption(1460), layers.TCPOption{OptionType: optionMD5, OptionLength: 18, OptionData: make([]byte, 16)}), 1400, 1360},
		{"not a SYN", tcpPacket(t, v4, &layers.TCP{ACK: true, Options: []layers.TCPOption{mssOption(1460)}}, nil), 1400, 0},
		{"not TCP", udpPacket(t, v4, make([]byte, 30)), 1400, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := bytes.Clone(test.b)
			p := parsed(t, b)
			changed := ClampMSS(p, test.mtu, false)
			if changed != (test.want > 0) {
				t.Fatalf("changed: %v", changed)
			}
			if !changed {
				if !bytes.Equal(b, test.b) {
					t.Error("changed all the same")
				}
				return
			}
			tcp := verify(t, b).TransportLayer().(*layers.TCP)
			for _, o := range tcp.Options {
				if o.OptionType == layers.TCPOptionKindMSS && int(be16(o.OptionData)) != test.want {
					t.Errorf("MSS %d, want %d", be16(o.OptionData), test.want)
				}
			}
			// With a checksum that is still to be completed.
			b = bytes.Clone(test.b)
			p = parsed(t, b)
			field := b[p.Header+tcpChecksum:]
			pseudoHeader(b, protoTCP, len(b)-p.Header).putPartial(field)
			ClampMSS(p, test.mtu, true)
			o := Offload{NeedsChecksum: true, ChecksumStart: uint16(p.Header), ChecksumOffset: tcpChecksum}
			if err := o.Complete(b); err != nil {
				t.Fatal(err)
			}
			verify(t, b)
		})
	}
}

func FuzzClampMSS(f *testing.F) {
	f.Add(syn(f, ip4(layers.IPProtocolTCP), mssOption(1460)), 1400)
	f.Add(syn(f, ip6(layers.IPProtocolTCP), mssOption(1460)), 1400)
	f.Fuzz(func(t *testing.T, b []byte, mtu int) {
		p, ok := Parse(b)
		if !ok {
			return
		}
		before := bytes.Clone(p.Bytes)
		right := p.Protocol == protoTCP && checksumValid(&p)
		if ClampMSS(&p, mtu, false) && right && !checksumValid(&p) {
			t.Errorf("the checksum was right in %x and is not in %x", before, p.Bytes)
		}
	})
}
