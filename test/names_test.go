//go:build linux

package test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
)

// nameServer is that of the internet, beyond the router; the other is the peer's name.
const nameServer, peerName = "203.0.113.53:53", "b.example.org"

// TestNamesBehindADefaultRoute: the peer's endpoint is a name, and the host asks for
// names by a resolver of its own, whose questions go wherever the default route leads:
// through the tunnel, once that is up. With on_stop = "block" they go nowhere before the
// tunnel is up, and the peer is called where it was.
func TestNamesBehindADefaultRoute(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	n := newInternet(t, overIPv4)
	n.R.Interface("lo").AddAddress(netlab.Prefixes("203.0.113.53/32")...)
	serveName(t, n.R, n.Right.B.Addr4())
	serveStub(t, n.A)
	n.a.ResolvConf = filepath.Join(t.TempDir(), "resolv.conf")
	check(t, os.WriteFile(n.a.ResolvConf, []byte("nameserver 127.0.0.53\n"), 0o644))
	configure := func(extra string) {
		check(t, n.a.Configure(extra, gateway.Peer{Gateway: n.b, Endpoint: peerName + ":4500", Routed: []string{"0.0.0.0/0", "::/0"}}))
	}

	configure("")
	check(t, n.b.Start())
	check(t, n.a.Start())
	await(t, n.a, gateway.Established)
	n.reaches(t)
	check(t, n.a.Stop())

	configure(`on_stop = "block"`)
	check(t, n.a.Start())
	await(t, n.a, gateway.Established)
	check(t, n.a.Stop())
	if !refusedOn(t, n.A, "203.0.113.53") {
		t.Error("the name server can be asked while nothing is to leave")
	}
	check(t, n.b.Stop())
	check(t, os.Remove(filepath.Join(n.b.Dir, gateway.Device+".peers"))) // it shall not call
	check(t, n.b.Start())
	check(t, n.a.Start())
	await(t, n.a, gateway.Established)
	n.reaches(t)
}

// serveName runs the name server, which knows the address of one name.
func serveName(t *testing.T, on *netlab.Host, address netip.Addr) {
	serveDNS(t, on, nameServer, func(question []byte) ([]byte, error) {
		var m dnsmessage.Message
		if err := m.Unpack(question); err != nil {
			return nil, err
		}
		m.Response, m.Additionals = true, nil
		for _, q := range m.Questions {
			if q.Type == dnsmessage.TypeA && q.Name.String() == peerName+"." {
				header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}})
			}
		}
		return m.Pack()
	})
}

// serveStub runs a resolver on a host, for programs of the host. As systemd-resolved
// does, it asks the name server without a mark.
func serveStub(t *testing.T, on *netlab.Host) {
	serveDNS(t, on, "127.0.0.53:53", func(question []byte) ([]byte, error) {
		answer, err := forward(on, question)
		if err == nil {
			return answer, nil
		}
		var m dnsmessage.Message
		if err := m.Unpack(question); err != nil {
			return nil, err
		}
		m.Response, m.RCode, m.Additionals = true, dnsmessage.RCodeServerFailure, nil
		return m.Pack()
	})
}

// forward asks the name server.
func forward(from *netlab.Host, question []byte) ([]byte, error) {
	conn, err := from.Dial("udp", nameServer)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answer := make([]byte, 512)
	size := 0
	if _, err = conn.Write(question); err == nil {
		err = conn.SetReadDeadline(time.Now().Add(within))
	}
	if err == nil {
		size, err = conn.Read(answer)
	}
	return answer[:size], err
}

// serveDNS answers questions on an address until the test ends.
func serveDNS(t *testing.T, on *netlab.Host, address string, answer func(question []byte) ([]byte, error)) {
	t.Helper()
	conn, err := on.ListenPacket("udp", address)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		for {
			question := make([]byte, 512)
			size, from, err := conn.ReadFrom(question)
			if errors.Is(err, net.ErrClosed) {
				return
			} else if err != nil {
				continue
			}
			go func() {
				if reply, err := answer(question[:size]); err == nil {
					conn.WriteTo(reply, from)
				}
			}()
		}
	}()
}
