package tunnel

import (
	"context"
	"net/netip"
	"time"

	"fathom/esp/gcm"
	"fathom/tunnel/status"
	"fathom/tunnel/tun"
	"fathom/tunnel/udp"
)

// reporter is the status.Source of a running tunnel. The control
// goroutine reads what it owns itself: the state of the peers.
type reporter struct {
	tunnel     *Tunnel
	controller *controller
	reloader   *reloader
	device     *tun.Device
	conn       *udp.Conn
	started    anchor // the control goroutine's
}

func (r *reporter) Status(ctx context.Context) (*status.Status, error) {
	mtu, _ := r.device.MTU()
	s := &status.Status{
		Schema:    status.StatusSchema,
		Name:      r.tunnel.config.Name,
		Version:   r.tunnel.version,
		Listen:    addrStrings(r.conn.Addrs()),
		Addresses: r.tunnel.config.Addresses,
		MTU:       mtu,
		FwMark:    r.controller.host.network.Mark(),
		Table:     r.controller.host.network.DefaultTable(),
		Offload:   r.offload(),
		AESGCM:    gcm.Implementation(),
		Dropped:   r.controller.drops.snapshot(),
		Peers:     []status.Peer{},
	}
	err := r.controller.events.ask(ctx, func(c *controller, now time.Time) {
		s.Started = r.started.onTheWall(now)
		s.Host = c.upkeep.status(now)
		s.Stranger = c.stranger.status(now)
		s.Absent = c.listening.absent
		s.PublicKey = c.handshaker.public.String()
		for _, p := range c.peers {
			of := p.status(now)
			of.Advice = p.advice(&c.port)
			s.Peers = append(s.Peers, of)
		}
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (r *reporter) Probe(ctx context.Context, peer string) (*status.ProbeReport, error) {
	return r.controller.probe(ctx, peer)
}

func (r *reporter) Hops(ctx context.Context, peer string) (*status.HopsReport, error) {
	return r.controller.hops(ctx, peer)
}

func (r *reporter) Echo(ctx context.Context, peer string) (*status.EchoReport, error) {
	return r.controller.echo(ctx, peer)
}

func (r *reporter) Facts(ctx context.Context, peer string) (*status.FactsReport, error) {
	return r.controller.facts(ctx, peer)
}

func (r *reporter) Reload(ctx context.Context) (*status.ReloadReport, error) {
	return r.reloader.reload(ctx)
}

func (r *reporter) History(ctx context.Context, q status.HistoryQuery) (*status.History, error) {
	h, err := r.controller.history(ctx, q)
	if err != nil {
		return nil, err
	}
	h.Name = r.tunnel.config.Name
	return h, nil
}

// offload reports the superpackets and queues in use.
func (r *reporter) offload() status.Offload {
	features, sockets := r.device.Features(), r.conn.Offloads()
	return status.Offload{
		Queues: r.device.Queues(), DeviceTCP: features.TCP, DeviceUDP: features.UDP,
		UDPSegment: sockets.Segment, UDPGRO: sockets.GRO, ReceiveBuffer: sockets.ReceiveBuffer, SendBuffer: sockets.SendBuffer,
	}
}

// addrStrings formats addresses for people.
func addrStrings(addrs []netip.AddrPort) (list []string) {
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return list
}
