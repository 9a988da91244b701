package inspect

import (
	"encoding/binary"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A rule is its parts.
func parts(lists ...[]expr.Any) (all []expr.Any) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func protocol(p byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{p}}}
}

func port(op expr.CmpOp, n uint16) []expr.Any {
	return parts(protocol(unix.IPPROTO_UDP), []expr.Any{
		&expr.Payload{OperationType: expr.PayloadLoad, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2, DestRegister: 1},
		&expr.Cmp{Op: op, Register: 1, Data: binary.BigEndian.AppendUint16(nil, n)}})
}

func state(bits uint32) []expr.Any {
	return []expr.Any{&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binary.NativeEndian.AppendUint32(nil, bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)}}
}

func comingBy(name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded}}
}

// lookup asks a set of ports.
func lookup(set string, invert bool) []expr.Any {
	return append(port(expr.CmpOpEq, 0)[:3], &expr.Lookup{SourceRegister: 1, SetName: set, Invert: invert})
}

// verdicts asks a map of ports for a verdict.
func verdicts(set string) []expr.Any {
	return append(port(expr.CmpOpEq, 0)[:3], &expr.Lookup{SourceRegister: 1, SetName: set, IsDestRegSet: true})
}

func ports(from, to uint16) []expr.Any {
	return append(port(expr.CmpOpEq, 0)[:3], &expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: binary.BigEndian.AppendUint16(nil, from), ToData: binary.BigEndian.AppendUint16(nil, to)})
}

func to(kind expr.VerdictKind, chain string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: kind, Chain: chain}}
}

func chain(rules ...[]expr.Any) (list []*nftables.Rule) {
	for _, r := range rules {
		list = append(list, &nftables.Rule{Exprs: r})
	}
	return list
}

func is(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func TestDrops(t *testing.T) {
	const accept, drop, jump, back = expr.VerdictAccept, expr.VerdictDrop, expr.VerdictJump, expr.VerdictReturn
	established := parts(state(expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), is(accept))
	from := []expr.Any{&expr.Payload{OperationType: expr.PayloadLoad, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4, DestRegister: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{192, 0, 2, 1}}}
	for _, test := range []struct {
		name   string
		policy nftables.ChainPolicy
		rules  [][]expr.Any
		want   bool
	}{
		{"empty", nftables.ChainPolicyAccept, nil, false},
		{"a policy", nftables.ChainPolicyDrop, nil, true},
		{"what answers is let in, and lo, and SSH", nftables.ChainPolicyDrop, [][]expr.Any{established, parts(comingBy("lo"), is(accept)), parts(protocol(unix.IPPROTO_TCP), is(accept))}, true},
		{"the port is let in", nftables.ChainPolicyDrop, [][]expr.Any{established, parts(port(expr.CmpOpEq, 4500), is(accept))}, false},
		{"another port is let in", nftables.ChainPolicyDrop, [][]expr.Any{parts(port(expr.CmpOpEq, 500), is(accept))}, true},
		{"all other ports are let in", nftables.ChainPolicyDrop, [][]expr.Any{parts(port(expr.CmpOpNeq, 4500), is(accept))}, true},
		{"what is new is let in", nftables.ChainPolicyDrop, [][]expr.Any{parts(state(expr.CtStateBitNEW), is(accept))}, false},
		{"an interface is let in", nftables.ChainPolicyDrop, [][]expr.Any{parts(comingBy("eth0"), is(accept))}, false},
		{"a source is let in", nftables.ChainPolicyDrop, [][]expr.Any{parts(from, is(accept))}, false},
		{"a chain that is not known says", nftables.ChainPolicyDrop, [][]expr.Any{to(jump, "unknown")}, false},
		{"a chain that lets it in", nftables.ChainPolicyDrop, [][]expr.Any{to(jump, "ports")}, false},
		{"a chain that may let it in", nftables.ChainPolicyDrop, [][]expr.Any{parts(from, to(jump, "ports"))}, false},
		{"a chain that another may drop before", nftables.ChainPolicyDrop, [][]expr.Any{parts(from, is(drop)), to(jump, "ports")}, false},
		{"a chain without it", nftables.ChainPolicyDrop, [][]expr.Any{to(jump, "ssh")}, true},
		{"a chain without it, and then it is let in", nftables.ChainPolicyDrop, [][]expr.Any{to(jump, "ssh"), parts(port(expr.CmpOpEq, 4500), is(accept))}, false},
		{"to a chain without it for good, though it is let in behind", nftables.ChainPolicyDrop, [][]expr.Any{to(expr.VerdictGoto, "ssh"), is(accept)}, true},
		{"a chain that drops it", nftables.ChainPolicyAccept, [][]expr.Any{to(jump, "last")}, true},
		{"a chain that may drop it", nftables.ChainPolicyAccept, [][]expr.Any{parts(from, to(jump, "last"))}, false},
		{"a chain that is left before it drops, perhaps", nftables.ChainPolicyAccept, [][]expr.Any{to(jump, "some")}, false},
		{"the same, and the policy drops it", nftables.ChainPolicyDrop, [][]expr.Any{to(jump, "some")}, true},
		{"a chain that leads to itself", nftables.ChainPolicyDrop, [][]expr.Any{to(jump, "loop")}, false},
		{"a set has the port", nftables.ChainPolicyDrop, [][]expr.Any{parts(lookup("ports", false), is(accept))}, false},
		{"a set does not have it", nftables.ChainPolicyDrop, [][]expr.Any{parts(lookup("others", false), is(accept))}, true},
		{"it is not in a set that does not have it", nftables.ChainPolicyDrop, [][]expr.Any{parts(lookup("others", true), is(accept))}, false},
		{"an interval has it", nftables.ChainPolicyDrop, [][]expr.Any{parts(lookup("low", false), is(accept))}, false},
		{"no interval has it", nftables.ChainPolicyDrop, [][]expr.Any{parts(lookup("around", false), is(accept))}, true},
		{"a set that cannot be read", nftables.ChainPolicyDrop, [][]expr.Any{parts(lookup("unknown", false), is(accept))}, false},
		{"a range has it", nftables.ChainPolicyDrop, [][]expr.Any{parts(ports(4000, 5000), is(accept))}, false},
		{"a range does not have it", nftables.ChainPolicyDrop, [][]expr.Any{parts(ports(4501, 5000), is(accept))}, true},
		{"a map has it", nftables.ChainPolicyDrop, [][]expr.Any{verdicts("ports")}, false},
		{"a map does not have it", nftables.ChainPolicyDrop, [][]expr.Any{verdicts("others")}, true},
		{"what iptables matches is let in", nftables.ChainPolicyDrop, [][]expr.Any{parts([]expr.Any{&expr.Match{Name: "multiport"}}, is(accept))}, false},
		{"the port is dropped", nftables.ChainPolicyAccept, [][]expr.Any{parts(port(expr.CmpOpEq, 4500), []expr.Any{&expr.Counter{}}, is(drop))}, true},
		{"the port is rejected", nftables.ChainPolicyAccept, [][]expr.Any{parts(port(expr.CmpOpEq, 4500), []expr.Any{&expr.Reject{}})}, true},
		{"a source is dropped", nftables.ChainPolicyAccept, [][]expr.Any{parts(from, is(drop))}, false},
		{"too many are dropped", nftables.ChainPolicyAccept, [][]expr.Any{parts(port(expr.CmpOpEq, 4500), []expr.Any{&expr.Limit{}}, is(drop))}, false},
		{"the end of the chain", nftables.ChainPolicyAccept, [][]expr.Any{is(back), is(drop)}, false},
	} {
		table := ruleset{port: 4500, chains: map[string][]*nftables.Rule{
			"input": chain(test.rules...),
			"ports": chain(parts(port(expr.CmpOpEq, 22), is(accept)), parts(port(expr.CmpOpEq, 4500), is(accept))),
			"ssh":   chain(parts(protocol(unix.IPPROTO_TCP), is(accept))),
			"last":  chain(parts(from, is(drop)), is(drop)),
			"some":  chain(parts(from, is(back)), is(drop)),
			"loop":  chain(to(jump, "loop")),
		}, set: func(name string) (elements []nftables.SetElement, ok bool) {
			bounds, ok := map[string][]uint16{"ports": {500, 4500}, "others": {500}, "low": {1, 5000}, "around": {4000, 4400, 4501, 5000}}[name]
			for i, n := range bounds {
				elements = append(elements, nftables.SetElement{Key: binary.BigEndian.AppendUint16(nil, n), IntervalEnd: (name == "low" || name == "around") && i%2 == 1})
			}
			return elements, ok
		}}
		if got := table.drops(&nftables.Chain{Name: "input", Policy: &test.policy}); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func leavingBy(index uint32) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIF, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.NativeEndian.AppendUint32(nil, index)}}
}

// not turns a rule's last comparison around.
func not(rule []expr.Any) []expr.Any {
	rule[len(rule)-1].(*expr.Cmp).Op = expr.CmpOpNeq
	return rule
}

func TestSetsMSS(t *testing.T) {
	written := []expr.Any{&expr.Exthdr{Op: expr.ExthdrOpTcpopt, Type: tcpOptionMSS, SourceRegister: 1}}
	for _, test := range []struct {
		name string
		rule []expr.Any
		want bool
	}{
		{"another rule", is(expr.VerdictAccept), false},
		{"the MSS is read", []expr.Any{&expr.Exthdr{Op: expr.ExthdrOpTcpopt, Type: tcpOptionMSS, DestRegister: 1}}, false},
		{"the MSS is written", []expr.Any{&expr.Exthdr{Op: expr.ExthdrOpTcpopt, Type: tcpOptionMSS, SourceRegister: 1}}, true},
		{"another option is written", []expr.Any{&expr.Exthdr{Op: expr.ExthdrOpTcpopt, Type: 3, SourceRegister: 1}}, false},
		{"by iptables", []expr.Any{&expr.Target{Name: "TCPMSS"}}, true},
		{"of the tunnel", parts(comingBy("fathom0"), written), true},
		{"of another interface", parts(comingBy("ppp0"), written), false},
		{"of others than the tunnel", parts(not(comingBy("fathom0")), written), false},
		{"of all but another", parts(not(comingBy("ppp0")), written), true},
		{"of names that begin so", parts([]expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte("fath")}}, written), true},
		{"of names that begin otherwise", parts([]expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte("ppp")}}, written), false},
		{"of the tunnel's index", parts(leavingBy(7), written), true},
		{"of another index", parts(leavingBy(8), written), false},
		{"of TCP", parts(protocol(unix.IPPROTO_TCP), written), true},
	} {
		if got := setsMSS(test.rule, device{"fathom0", 7}); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
