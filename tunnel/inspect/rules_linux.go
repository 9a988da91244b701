package inspect

import (
	"bytes"
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// This file judges rules of nftables. It is pure.

// tcpOptionMSS is the kind of the MSS option (RFC 9293 section 3.1).
const tcpOptionMSS = 2

// setsMSS reports whether a rule changes the MSS of TCP, in nftables or by the target of
// iptables.
func setsMSS(rule []expr.Any) bool {
	for _, e := range rule {
		switch e := e.(type) {
		case *expr.Exthdr:
			if e.Op == expr.ExthdrOpTcpopt && e.Type == tcpOptionMSS && e.SourceRegister != 0 {
				return true
			}
		case *expr.Target:
			if e.Name == "TCPMSS" {
				return true
			}
		}
	}
	return false
}

// answer is what a rule says of a packet, or whether it matches one.
type answer uint8

const (
	perhaps answer = iota // it depends on what is not known
	no
	yes
)

// drops reports whether a chain surely drops the first packet of a flow, UDP to a port of
// this host's. A rule that may accept it, or leads elsewhere, leaves that open.
func drops(c *nftables.Chain, rules []*nftables.Rule, port uint16) bool {
	for _, r := range rules {
		match, verdict := judge(r.Exprs, port)
		switch {
		case match == no, verdict == nil:
		case verdict.Kind == expr.VerdictDrop && match == yes:
			return true
		case verdict.Kind == expr.VerdictDrop, verdict.Kind == expr.VerdictReturn && match == perhaps:
		case verdict.Kind == expr.VerdictReturn:
			return policyDrops(c)
		default: // it is accepted, perhaps, or another chain says
			return false
		}
	}
	return policyDrops(c)
}

func policyDrops(c *nftables.Chain) bool {
	return c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
}

// judge returns whether a rule matches such a packet, and its verdict, nil if it has none.
// Registers hold what is known.
func judge(rule []expr.Any, port uint16) (match answer, verdict *expr.Verdict) {
	match = yes
	known := make(map[uint32][]byte)
	incoming := make(map[uint32]bool) // registers that name the interface by which it comes: not lo
	for _, e := range rule {
		switch e := e.(type) {
		case *expr.Counter, *expr.Log, *expr.Notrack:
		case *expr.Meta:
			delete(known, e.Register)
			incoming[e.Register] = e.Key == expr.MetaKeyIIF || e.Key == expr.MetaKeyIIFNAME
			if e.Key == expr.MetaKeyL4PROTO {
				known[e.Register] = []byte{unix.IPPROTO_UDP}
			}
		case *expr.Payload:
			delete(known, e.DestRegister)
			if e.OperationType == expr.PayloadLoad && e.Base == expr.PayloadBaseTransportHeader && e.Offset == 2 && e.Len == 2 {
				known[e.DestRegister] = binary.BigEndian.AppendUint16(nil, port)
			}
		case *expr.Ct:
			delete(known, e.Register)
			if e.Key == expr.CtKeySTATE {
				known[e.Register] = binary.NativeEndian.AppendUint32(nil, expr.CtStateBitNEW)
			}
		case *expr.Bitwise:
			of, ok := known[e.SourceRegister]
			delete(known, e.DestRegister)
			if ok && len(of) == len(e.Mask) && len(of) == len(e.Xor) {
				result := make([]byte, len(of))
				for i := range of {
					result[i] = of[i]&e.Mask[i] ^ e.Xor[i]
				}
				known[e.DestRegister] = result
			}
		case *expr.Cmp:
			of, ok := known[e.Register]
			equal := ok && bytes.Equal(of, e.Data)
			switch {
			case !ok && incoming[e.Register] && isLoopback(e.Data) && e.Op == expr.CmpOpEq:
				return no, nil
			case !ok && incoming[e.Register] && isLoopback(e.Data) && e.Op == expr.CmpOpNeq:
			case !ok, e.Op != expr.CmpOpEq && e.Op != expr.CmpOpNeq:
				match = perhaps
			case equal != (e.Op == expr.CmpOpEq):
				return no, nil
			}
		case *expr.Verdict:
			return match, e
		case *expr.Reject:
			return match, &expr.Verdict{Kind: expr.VerdictDrop}
		case *expr.Target:
			if e.Name == "DROP" || e.Name == "REJECT" {
				return match, &expr.Verdict{Kind: expr.VerdictDrop}
			}
			match = perhaps
		case *expr.Lookup:
			match = perhaps
			if e.IsDestRegSet && e.DestRegister == 0 { // a verdict map
				return match, &expr.Verdict{Kind: expr.VerdictJump}
			}
		default:
			match = perhaps
		}
	}
	return match, nil
}

// isLoopback reports whether a value is the name of lo, or its index, which is 1 in every
// namespace.
func isLoopback(data []byte) bool {
	return bytes.Equal(bytes.TrimRight(data, "\x00"), []byte("lo")) || bytes.Equal(data, binary.NativeEndian.AppendUint32(nil, 1))
}
