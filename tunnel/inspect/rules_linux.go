package inspect

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// This file judges rules of nftables. It is pure.

// tcpOptionMSS is the kind of the MSS option (RFC 9293 section 3.1).
const tcpOptionMSS = 2

// device is the tunnel's, as rules name it.
type device struct {
	name  string
	index uint32 // 0: there is none yet
}

// setsMSS reports whether a rule changes the MSS of TCP, in nftables or by the target of
// iptables, and is not about other interfaces alone.
func setsMSS(rule []expr.Any, tunnel device) bool {
	interfaces := make(map[uint32]expr.MetaKey)
	for _, e := range rule {
		switch e := e.(type) {
		case *expr.Meta:
			interfaces[e.Register] = e.Key
		case *expr.Cmp:
			if key, ok := interfaces[e.Register]; ok && !tunnel.may(key, e) {
				return false
			}
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

// may reports whether a comparison of what meta tells may hold for packets of the device.
func (d device) may(key expr.MetaKey, e *expr.Cmp) bool {
	same := false
	switch key {
	case expr.MetaKeyIIF, expr.MetaKeyOIF:
		same = bytes.Equal(e.Data, binary.NativeEndian.AppendUint32(nil, d.index))
	case expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME:
		// A name ends with a zero. Without one it is the beginning of names, as in "ppp*".
		name, _, whole := bytes.Cut(e.Data, []byte{0})
		same = string(name) == d.name || !whole && strings.HasPrefix(d.name, string(name))
	default:
		return true
	}
	return same == (e.Op == expr.CmpOpEq)
}

// answer is whether a rule matches a packet.
type answer uint8

const (
	perhaps answer = iota // it depends on what is not known
	no
	yes
)

// fate is what becomes of a packet in a chain.
type fate uint8

const (
	passes  fate = iota // it may be accepted, or nobody knows
	falls               // it comes to the end of the chain, or may be dropped before
	dropped             // surely
)

// maxJumps is how deep chains may lead to others, as in the kernel (NFT_JUMP_STACK_SIZE).
const maxJumps = 16

// ruleset is what is known of a table.
type ruleset struct {
	chains map[string][]*nftables.Rule
	// set returns the elements of a set, false if they are not known.
	set  func(name string) ([]nftables.SetElement, bool)
	port uint16 // of the packet
}

// drops reports whether a base chain surely drops the first packet of a flow, UDP to a port
// of this host's. A rule that may accept it leaves that open.
func (r *ruleset) drops(c *nftables.Chain) bool {
	switch r.fate(c.Name, 0) {
	case dropped:
		return true
	case falls:
		return c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
	}
	return false
}

// fate follows a packet through a chain, and those that it leads to.
func (r *ruleset) fate(chain string, depth int) fate {
	rules, ok := r.chains[chain]
	if !ok || depth > maxJumps {
		return passes
	}
	mayFall := false // before the rule that drops it
	for _, rule := range rules {
		match, verdict := r.judge(rule.Exprs)
		if match == no || verdict == nil {
			continue
		}
		end, ends := passes, true
		switch verdict.Kind {
		case expr.VerdictDrop:
			end = dropped
		case expr.VerdictReturn:
			end = falls
		case expr.VerdictGoto:
			end = r.fate(verdict.Chain, depth+1)
		case expr.VerdictJump:
			end = r.fate(verdict.Chain, depth+1)
			ends = end != falls
		}
		switch {
		case end == passes:
			return passes
		case !ends: // it is back
		case match == perhaps:
			mayFall = mayFall || end == falls
		case end == dropped && mayFall:
			return falls
		default:
			return end
		}
	}
	return falls
}

// judge returns whether a rule matches such a packet, and its verdict, nil if it has none.
// Registers hold what is known.
func (r *ruleset) judge(rule []expr.Any) (match answer, verdict *expr.Verdict) {
	match = yes
	known := make(map[uint32][]byte)
	incoming := make(map[uint32]bool) // registers that name the interface by which it comes: not lo
	// compared takes in whether a known value is as a rule wants it.
	compared := func(ok, as bool) {
		switch {
		case !ok && match == yes:
			match = perhaps
		case ok && !as:
			match = no
		}
	}
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
			incoming[e.DestRegister] = false
			if e.OperationType == expr.PayloadLoad && e.Base == expr.PayloadBaseTransportHeader && e.Offset == 2 && e.Len == 2 {
				known[e.DestRegister] = binary.BigEndian.AppendUint16(nil, r.port)
			}
		case *expr.Ct:
			delete(known, e.Register)
			incoming[e.Register] = false
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
			if !ok && incoming[e.Register] && isLoopback(e.Data) {
				ok, of = true, []byte("another")
			}
			compared(ok, holds(e.Op, bytes.Compare(of, e.Data)))
		case *expr.Range:
			of, ok := known[e.Register]
			inside := bytes.Compare(of, e.FromData) >= 0 && bytes.Compare(of, e.ToData) <= 0
			compared(ok, inside == (e.Op == expr.CmpOpEq))
		case *expr.Lookup:
			in, ok := r.in(e.SetName, known[e.SourceRegister])
			compared(ok, in != e.Invert)
			if e.IsDestRegSet && e.DestRegister == unix.NFT_REG_VERDICT && match != no {
				return perhaps, &expr.Verdict{Kind: expr.VerdictAccept} // the verdict is in the map
			}
		case *expr.Verdict:
			return match, e
		case *expr.Reject:
			return match, &expr.Verdict{Kind: expr.VerdictDrop}
		case *expr.Target:
			if e.Name == "DROP" || e.Name == "REJECT" {
				return match, &expr.Verdict{Kind: expr.VerdictDrop}
			}
		default:
			compared(false, false)
		}
		if match == no {
			return no, nil
		}
	}
	return match, nil
}

// holds reports whether a comparison does.
func holds(op expr.CmpOp, order int) bool {
	switch op {
	case expr.CmpOpEq:
		return order == 0
	case expr.CmpOpNeq:
		return order != 0
	case expr.CmpOpLt:
		return order < 0
	case expr.CmpOpLte:
		return order <= 0
	case expr.CmpOpGt:
		return order > 0
	default:
		return order >= 0
	}
}

// in reports whether a set has a value. Of one with intervals each element begins one, or
// ends one behind its last value. Concatenations are not looked into.
func (r *ruleset) in(set string, value []byte) (in, known bool) {
	elements, ok := r.set(set)
	if !ok || value == nil {
		return false, false
	}
	intervals, lower := false, nftables.SetElement{IntervalEnd: true}
	for _, e := range elements {
		if len(e.Key) != len(value) || len(e.KeyEnd) > 0 {
			return false, false
		}
		if bytes.Equal(e.Key, value) && !e.IntervalEnd {
			return true, true
		}
		intervals = intervals || e.IntervalEnd
		if bytes.Compare(e.Key, value) <= 0 && bytes.Compare(e.Key, lower.Key) >= 0 {
			lower = e
		}
	}
	return intervals && !lower.IntervalEnd, true
}

// isLoopback reports whether a value is the name of lo, or its index, which is 1 in every
// namespace.
func isLoopback(data []byte) bool {
	return bytes.Equal(bytes.TrimRight(data, "\x00"), []byte("lo")) || bytes.Equal(data, binary.NativeEndian.AppendUint32(nil, 1))
}
