//go:build linux

package netlab_test

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

func TestTCPOnACableIsNotCoalescedUnlessAsked(t *testing.T) {
	longest := func(offload bool) (most int) {
		lab := labtest.New(t, netlab.Namespaces, netlab.Packets)
		a, b := lab.Host("a"), lab.Host("b")
		link := lab.Connect(a, b, netlab.LinkConfig{
			AddrA: netlab.Prefixes("10.1.0.1/24"), AddrB: netlab.Prefixes("10.1.0.2/24"), Offload: offload})
		capture := link.B.Capture()
		server, err := b.Listen("tcp4", "0.0.0.0:9000")
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		conn, err := a.Dial("tcp4", netip.AddrPortFrom(link.B.Addr4(), 9000).String())
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := server.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close()
		go func() {
			conn.Write(make([]byte, 256<<10))
			conn.Close()
		}()
		if _, err := io.Copy(io.Discard, accepted); err != nil {
			t.Fatal(err)
		}
		if _, ok := capture.Await(soon, func(p netlab.Packet) bool { return !p.Sent && len(p.Data) >= netlab.EthernetMTU }); !ok {
			t.Fatal("no full packet")
		}
		time.Sleep(quiet)
		for _, p := range capture.Packets() {
			most = max(most, len(p.Data))
		}
		return most
	}
	if got := longest(false); got != netlab.EthernetMTU {
		t.Errorf("without offload the longest packet has %d bytes, want %d", got, netlab.EthernetMTU)
	}
	if got := longest(true); got <= netlab.EthernetMTU {
		t.Errorf("with offload the longest packet has %d bytes, want more than %d", got, netlab.EthernetMTU)
	}
}

func TestTheShorterEndOfACableLosesWhatTheLongerSends(t *testing.T) {
	routed := labtest.New(t, netlab.Namespaces).Routed()
	echo(t, routed.B)
	const mtu = 1400
	routed.Right.B.SetMTU(mtu)
	conn := dialUDP(t, routed.A, routed.Right.B.Addr4())
	if !ask(t, conn, mtu, soon) {
		t.Errorf("%d bytes did not pass", mtu)
	}
	if ask(t, conn, mtu+50, quiet) {
		t.Errorf("%d bytes passed", mtu+50)
	}
	if ptb := nextPTB(t, conn, quiet/3); ptb != 0 {
		t.Errorf("PTB tells %d", ptb)
	}
}

func TestACableCanBeCutAndMended(t *testing.T) {
	routed := labtest.New(t, netlab.Namespaces).Routed()
	echo(t, routed.B)
	conn := dialUDP(t, routed.A, routed.Right.B.Addr4())
	for _, up := range []bool{true, false, true} {
		within := quiet
		if up {
			routed.Right.Up()
			within = soon
		} else {
			routed.Right.Down()
		}
		if got := ask(t, conn, 100, within); got != up {
			t.Errorf("cable up %v: answered %v", up, got)
		}
	}
}

func TestRoutesAndAddressesComeAndGo(t *testing.T) {
	routed := labtest.New(t, netlab.Namespaces).Routed()
	extra := netlab.Prefixes("10.77.0.1/32")[0]
	routed.B.Interface("lo").AddAddress(extra)
	echoOn(t, routed.B, extra.Addr())
	routed.R.AddRoute(extra, routed.Right.B.Addr4())
	conn := dialUDP(t, routed.A, extra.Addr())
	if !ask(t, conn, 100, soon) {
		t.Error("no answer by way of the route")
	}
	routed.R.RemoveRoute(extra, routed.Right.B.Addr4())
	if ask(t, conn, 100, quiet) {
		t.Error("an answer without a route")
	}
	routed.R.AddRoute(extra, routed.Right.B.Addr4())
	routed.B.Interface("lo").RemoveAddress(extra)
	if ask(t, conn, 100, quiet) {
		t.Error("an answer from an address that is gone")
	}
}

func TestAnInterfaceIsAwaited(t *testing.T) {
	lab := labtest.New(t, netlab.Namespaces)
	a, b := lab.Host("a"), lab.Host("b")
	laid := make(chan struct{})
	defer func() { <-laid }()
	go func() {
		defer close(laid)
		time.Sleep(quiet / 3)
		lab.Connect(a, b, netlab.LinkConfig{NameA: "late"})
	}()
	if got := a.AwaitInterface("late", soon); got.Name() != "late" || got.MTU() != netlab.EthernetMTU {
		t.Errorf("got %v with MTU %d", got, got.MTU())
	}
}
