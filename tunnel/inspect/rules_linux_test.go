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
		{"another chain says", nftables.ChainPolicyDrop, [][]expr.Any{is(jump)}, false},
		{"a map says", nftables.ChainPolicyDrop, [][]expr.Any{{&expr.Ct{Key: expr.CtKeySTATE, Register: 1}, &expr.Lookup{SourceRegister: 1, IsDestRegSet: true}}}, false},
		{"what iptables matches is let in", nftables.ChainPolicyDrop, [][]expr.Any{parts([]expr.Any{&expr.Match{Name: "multiport"}}, is(accept))}, false},
		{"the port is dropped", nftables.ChainPolicyAccept, [][]expr.Any{parts(port(expr.CmpOpEq, 4500), []expr.Any{&expr.Counter{}}, is(drop))}, true},
		{"the port is rejected", nftables.ChainPolicyAccept, [][]expr.Any{parts(port(expr.CmpOpEq, 4500), []expr.Any{&expr.Reject{}})}, true},
		{"a source is dropped", nftables.ChainPolicyAccept, [][]expr.Any{parts(from, is(drop))}, false},
		{"too many are dropped", nftables.ChainPolicyAccept, [][]expr.Any{parts(port(expr.CmpOpEq, 4500), []expr.Any{&expr.Limit{}}, is(drop))}, false},
		{"the end of the chain", nftables.ChainPolicyAccept, [][]expr.Any{is(back), is(drop)}, false},
	} {
		var rules []*nftables.Rule
		for _, r := range test.rules {
			rules = append(rules, &nftables.Rule{Exprs: r})
		}
		if got := drops(&nftables.Chain{Policy: &test.policy}, rules, 4500); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestSetsMSS(t *testing.T) {
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
	} {
		if got := setsMSS(test.rule); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
