package tunnel

import (
	"context"
	"time"
)

// reporter answers the status socket of a running tunnel. Any goroutine may
// ask it; what the control goroutine owns it asks that for.
type reporter struct {
	tunnel     *Tunnel
	ctx        context.Context
	controller *controller
	device     *tunDevice
	packets    device
	sockets    *udpSockets
	started    time.Time
}

// status takes a snapshot.
func (r *reporter) status() *Status {
	mtu, _ := r.device.MTU()
	s := &Status{
		Name:      r.tunnel.config.Name,
		Version:   r.tunnel.version,
		PublicKey: r.tunnel.public.String(),
		Listen:    r.sockets.addresses(),
		Addresses: r.tunnel.config.Addresses,
		MTU:       mtu,
		Started:   r.started,
		Offload:   r.offload(),
		Dropped:   r.controller.drops.snapshot(),
	}
	done := make(chan []PeerStatus, 1)
	ask := func(*controller, time.Time) {
		peers := make([]PeerStatus, 0, len(r.tunnel.peers))
		for _, p := range r.tunnel.peers {
			peers = append(peers, p.status())
		}
		done <- peers
	}
	if r.controller.events.deliver(r.ctx, ask) != nil {
		return s
	}
	select {
	case s.Peers = <-done:
	case <-r.ctx.Done():
	}
	return s
}

// offload tells what is in use: of the sockets what all that carry data have.
func (r *reporter) offload() OffloadStatus {
	features := r.packets.features()
	s := OffloadStatus{Queues: r.device.queues(), DeviceTCP: features.tcp, DeviceUDP: features.udp, UDPSegment: true, UDPGRO: true}
	for _, family := range [][]*udpSocket{r.sockets.v4, r.sockets.v6} {
		if len(family) > 0 {
			s.UDPSegment = s.UDPSegment && family[0].gso.Load() // the others send no data
			s.UDPGRO = s.UDPGRO && family[0].gro
			s.ReceiveBuffer, s.SendBuffer = family[0].buffers()
		}
	}
	return s
}

func (r *reporter) sound(peer string) (*Sounding, error) {
	return r.controller.sound(r.ctx, peer)
}
