//go:build linux

package netlab

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// ruleset is the sum of the filter methods' requests to a host. It is translated
// to nftables as a whole, so that undoing needs no memory of rule handles.
type ruleset struct {
	cutPTB, cutICMP bool
	losePTB         bool
	mute            bool
	loseLonger      int // likewise
	loseLongerIn    []string
	dropLonger      int // bytes of the IP packet; 0 means off
	dropLongerOut   []string
	lossPercent     float64
	lossOut         []string
	clearDF         bool
	masquerade      []string
	translate       netip.Addr // the source of what leaves by translateOut; invalid: none
	translateOut    string
}

// tableName is that of the laboratory's one table in a host.
const tableName = "netlab"

// install replaces the table of the namespace that the thread is in.
func (r *ruleset) install() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	conn.AddTable(table) // so that there is one to delete
	conn.DelTable(table)
	conn.AddTable(table)
	chain := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority, rules [][]expr.Any) {
		if len(rules) == 0 {
			return // an empty chain would still cost every packet
		}
		c := conn.AddChain(&nftables.Chain{Table: table, Name: name, Type: kind, Hooknum: hook, Priority: priority})
		for _, rule := range rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: c, Exprs: rule})
		}
	}
	// The forwarding MTU is checked before the forward hook, so DF has to go
	// before that.
	chain("prerouting", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityMangle, r.prerouting())
	chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter, r.forward())
	chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, r.input())
	chain("output", nftables.ChainTypeFilter, nftables.ChainHookOutput, nftables.ChainPriorityFilter, r.output())
	chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, r.postrouting())
	return conn.Flush()
}

func (r *ruleset) prerouting() (rules [][]expr.Any) {
	if r.loseLonger > 0 {
		for _, in := range anyOr(r.loseLongerIn) {
			rules = append(rules, rule(comingBy(in), longerThan(r.loseLonger), drop()))
		}
	}
	if r.clearDF {
		rules = append(rules, rule(ofFamily(unix.NFPROTO_IPV4), clearDF()))
	}
	return rules
}

func (r *ruleset) forward() (rules [][]expr.Any) {
	rules = r.icmp()
	if r.dropLonger > 0 {
		for _, out := range anyOr(r.dropLongerOut) {
			rules = append(rules, rule(leavingBy(out), longerThan(r.dropLonger), drop()))
		}
	}
	if r.lossPercent > 0 {
		for _, out := range anyOr(r.lossOut) {
			rules = append(rules, rule(leavingBy(out), withProbability(r.lossPercent/100), drop()))
		}
	}
	return rules
}

func (r *ruleset) input() [][]expr.Any {
	if r.losePTB {
		return dropPTBs()
	}
	return nil
}

func dropPTBs() [][]expr.Any {
	return [][]expr.Any{
		rule(ofFamily(unix.NFPROTO_IPV4), ofProtocol(unix.IPPROTO_ICMP), transportIs(icmpDestinationUnreachable, icmpFragmentationNeeded), drop()),
		rule(ofFamily(unix.NFPROTO_IPV6), ofProtocol(unix.IPPROTO_ICMPV6), transportIs(icmpv6PacketTooBig), drop()),
	}
}

// icmp is for forwarded packets and for the host's own.
func (r *ruleset) icmp() (rules [][]expr.Any) {
	if r.cutPTB {
		rules = dropPTBs()
	}
	if r.cutICMP {
		rules = append(rules, dropICMP()...)
	}
	return rules
}

// output is for the host's own packets.
func (r *ruleset) output() [][]expr.Any {
	if r.mute {
		return dropICMP()
	}
	return r.icmp()
}

// dropICMP drops all but neighbour discovery.
func dropICMP() [][]expr.Any {
	return [][]expr.Any{
		rule(ofFamily(unix.NFPROTO_IPV4), ofProtocol(unix.IPPROTO_ICMP), drop()),
		rule(ofFamily(unix.NFPROTO_IPV6), ofProtocol(unix.IPPROTO_ICMPV6), typeOutside(icmpv6RouterSolicitation, icmpv6Redirect), drop()),
	}
}

// ICMP types and codes: RFC 792, RFC 4443, RFC 4861.
const (
	icmpDestinationUnreachable = 3
	icmpFragmentationNeeded    = 4 // a code
	icmpv6PacketTooBig         = 2
	icmpv6RouterSolicitation   = 133 // the first type of neighbour discovery
	icmpv6Redirect             = 137 // the last
)

func (r *ruleset) postrouting() (rules [][]expr.Any) {
	for _, out := range r.masquerade {
		rules = append(rules, rule(leavingBy(out), []expr.Any{&expr.Masq{}}))
	}
	if r.translate.IsValid() {
		rules = append(rules, rule(ofFamily(unix.NFPROTO_IPV4), leavingBy(r.translateOut), []expr.Any{
			&expr.Immediate{Register: 1, Data: r.translate.AsSlice()},
			&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
		}))
	}
	return rules
}

// anyOr returns the names, or for none the one that leavingBy takes for any.
func anyOr(names []string) []string {
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

func rule(parts ...[]expr.Any) (all []expr.Any) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func drop() []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
}

// meta nfproto
func ofFamily(family byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
	}
}

// meta l4proto
func ofProtocol(protocol byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
	}
}

// The first bytes of the transport header.
func transportIs(first ...byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Len: uint32(len(first))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: first},
	}
}

func typeOutside(from, to byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Len: 1},
		&expr.Range{Op: expr.CmpOpNeq, Register: 1, FromData: []byte{from}, ToData: []byte{to}},
	}
}

// meta oifname; the empty name matches any.
func leavingBy(name string) []expr.Any { return byInterface(expr.MetaKeyOIFNAME, name) }

// meta iifname; the empty name matches any.
func comingBy(name string) []expr.Any { return byInterface(expr.MetaKeyIIFNAME, name) }

func byInterface(key expr.MetaKey, name string) []expr.Any {
	if name == "" {
		return nil
	}
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded},
	}
}

// meta length > n. The register is in the order of the host, a comparison goes
// byte by byte.
func longerThan(n int) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyLEN, Register: 1},
		toNetworkOrder(),
		&expr.Cmp{Op: expr.CmpOpGt, Register: 1, Data: binaryutil.BigEndian.PutUint32(uint32(n))},
	}
}

// numgen random mod probabilitySteps < p
func withProbability(p float64) []expr.Any {
	return []expr.Any{
		&expr.Numgen{Register: 1, Modulus: probabilitySteps, Type: unix.NFT_NG_RANDOM},
		toNetworkOrder(),
		&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(uint32(p*probabilitySteps + 0.5))},
	}
}

const probabilitySteps = 1_000_000

func toNetworkOrder() expr.Any {
	return &expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4}
}

// ip frag-off set ip frag-off & ~DF, with the header checksum.
func clearDF() []expr.Any {
	const (
		fragmentOffset = 6
		headerChecksum = 10
		dontFragment   = 0x4000
	)
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: fragmentOffset, Len: 2},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 2,
			Mask: binary.BigEndian.AppendUint16(nil, ^uint16(dontFragment)), Xor: []byte{0, 0}},
		&expr.Payload{OperationType: expr.PayloadWrite, SourceRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: fragmentOffset, Len: 2,
			CsumType: expr.CsumTypeInet, CsumOffset: headerChecksum},
	}
}
