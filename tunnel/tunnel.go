package tunnel

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/esp"
)

// Options are what a tunnel needs beside its configuration.
type Options struct {
	// Logger receives one line per event that an operator cares about.
	// Nil: slog.Default().
	Logger *slog.Logger
	// Version is shown in the status.
	Version string
}

// Tunnel is one tunnel: a TUN device, a UDP port and the peers behind it. It
// wires the parts together and owns their lifetimes; what they do is their own
// business.
type Tunnel struct {
	config  conf.Tunnel
	log     *slog.Logger
	version string
	private crypto.PrivateKey
	public  crypto.PublicKey
	suites  []uint16
	peers   []*peer
}

// New prepares a tunnel. It takes nothing from the host before Run.
func New(cfg *conf.Config, opts Options) (*Tunnel, error) {
	t := &Tunnel{
		config:  cfg.Tunnel,
		log:     opts.Logger,
		version: opts.Version,
		private: crypto.PrivateKey(cfg.Tunnel.PrivateKey),
	}
	if t.log == nil {
		t.log = slog.Default()
	}
	var err error
	if t.public, err = t.private.Public(); err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	for _, name := range cfg.Tunnel.Ciphers {
		suite, err := esp.ParseSuite(name)
		if err != nil {
			return nil, err
		}
		t.suites = append(t.suites, uint16(suite))
	}
	for _, c := range cfg.Peers {
		if t.config.OuterDF == conf.OuterDFClear {
			c.Probing = conf.ProbingOff // what arrives in fragments says nothing
		}
		t.peers = append(t.peers, newPeer(c))
	}
	return t, nil
}

// defaultInnerMTU is the device's MTU while no peer's path is known: what an
// Ethernet path carries over either address family.
var defaultInnerMTU = esp.InnerMTU(true, 1500)

// Run makes the device, opens the port and carries packets until ctx is done
// or the device fails. Before it returns it tells the peers and removes all
// that it has added to the host, but for what is on a persistent device. It may
// be called once.
func (t *Tunnel) Run(ctx context.Context) (err error) {
	var cleanup []func()
	defer func() {
		for i := len(cleanup) - 1; i >= 0; i-- {
			cleanup[i]()
		}
	}()

	shapes := deviceShapes(t.queues(), t.config.Offload != conf.OffloadOff)
	device, host, err := openDevice(t.config.Name, t.config.Addresses, defaultInnerMTU, shapes)
	if err != nil {
		return err
	}
	cleanup = append(cleanup, host.close, func() { device.Close() })

	sockets, err := listenUDP(t.config.ListenHost, t.config.ListenPort, t.socketOptions())
	if err != nil {
		return err
	}
	cleanup = append(cleanup, sockets.close)

	status, err := listenStatus(t.config.StatusSocket)
	if err != nil {
		return err
	}
	cleanup = append(cleanup, func() { status.Close() })

	keys, err := openKeyLog(t.config.DebugESPSAFile)
	if err != nil {
		return err
	}
	cleanup = append(cleanup, keys.close)
	if keys != nil {
		t.log.Warn("writing the keys of all traffic to a file", "file", t.config.DebugESPSAFile)
	}

	packets, err := t.openPackets(device)
	if err != nil {
		return err
	}
	c, err := t.newController(sockets, packets, host, keys)
	if err != nil {
		return err
	}
	unwatch, err := watchEgress(c.egress)
	if err != nil {
		return err
	}
	cleanup = append(cleanup, unwatch)
	if t.config.Routes {
		if err := routeAll(host, t.peers); err != nil {
			return err
		}
	}
	t.tellOfSockets(sockets)
	t.log.Info("tunnel up", "name", t.config.Name, "public_key", t.public, "listen", sockets.addresses(), "peers", len(t.peers))
	err = t.carry(ctx, c, device, packets, sockets, status)
	t.log.Info("tunnel down", "name", t.config.Name)
	return err
}

// carry runs the goroutines of the tunnel; see the package documentation for
// who they are and how each ends.
func (t *Tunnel) carry(ctx context.Context, c *controller, device *tunDevice, packets device, sockets *udpSockets, status net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	routes := newRoutes(t.peers)
	policy := policyOf(t.config)
	var loops sync.WaitGroup
	readers := packets.readers()
	for i, reader := range readers {
		loops.Go(func() {
			transmit := &transmitter{
				reader: reader, routes: routes, drops: c.drops,
				forwarder: newForwarder(newSender(transmitterLane(i, len(readers)), sockets, c.events), policy, packets.writer()),
			}
			if err := transmit.run(); err != nil {
				cancel(err)
			}
		})
	}
	sockets.each(func(socket *udpSocket) {
		loops.Go(func() {
			newReceiver(newInbox(socket), packets, policy.clampMSS, routes, c).run()
		})
	})
	started := time.Now()
	loops.Go(func() {
		serveStatus(status, &reporter{t, ctx, c, device, packets, sockets, started})
	})

	c.run(ctx) // says farewell while the sockets are still open

	status.Close()
	sockets.close()
	device.Close()
	loops.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// tellOfSockets logs what the kernel has granted.
func (t *Tunnel) tellOfSockets(sockets *udpSockets) {
	smallest := receiveBuffer
	sockets.each(func(s *udpSocket) {
		receive, send := s.buffers()
		t.log.Debug("socket", "address", s.conn.LocalAddr(), "receive_buffer", receive, "send_buffer", send, "gso", s.gso.Load(), "gro", s.gro)
		smallest = min(smallest, receive)
	})
	if smallest < receiveBuffer/2 {
		t.log.Warn("small receive buffer of the sockets: bursts may be lost", "receive_buffer", smallest, "hint",
			fmt.Sprintf("run with CAP_NET_ADMIN, or set net.core.rmem_max to %d", receiveBuffer))
	}
}

// socketOptions asks for as many sockets as the device has queues, and for one
// that the controller has to itself: see udpSockets.of.
func (t *Tunnel) socketOptions() socketOptions {
	return socketOptions{
		df:      t.config.OuterDF != conf.OuterDFClear,
		offload: t.config.Offload != conf.OffloadOff,
		queues:  max(2, t.queues()),
	}
}

// maxQueues bounds the queues where the configuration leaves their number open.
const maxQueues = 8

// queues returns how many queues the device is to have, if it can.
func (t *Tunnel) queues() int {
	switch {
	case t.config.Offload == conf.OffloadOff:
		return 1 // the portable path knows one
	case t.config.Queues > 0:
		return t.config.Queues
	}
	return min(runtime.GOMAXPROCS(0), maxQueues)
}

// openPackets returns how the packet loops read and write the device: with
// superpackets if the kernel offers them.
func (t *Tunnel) openPackets(d *tunDevice) (device, error) {
	super := d.features.tcp
	switch {
	case t.config.Offload == conf.OffloadOff:
	case !super:
		t.log.Info("no segmentation offload on the TUN device: packets go one by one", "name", t.config.Name)
	case d.queues() < t.queues():
		t.log.Info("the TUN device takes one queue only", "name", t.config.Name)
	}
	if !super {
		return portableDevice{d.Device}, nil
	}
	return openSuper(d)
}

func (t *Tunnel) newController(sockets *udpSockets, packets device, host hostNetwork, keys *keyLog) (*controller, error) {
	endpoints, err := loadEndpointCache(filepath.Join(filepath.Dir(t.config.StatusSocket), t.config.Name+".peers"))
	if err != nil {
		t.log.Warn("where the peers were is not known", "error", err)
	}
	for _, p := range t.peers {
		if endpoint, ok := endpoints.lookup(p.public); ok && p.endpoint.IsZero() {
			p.candidates = []netip.AddrPort{endpoint}
		}
	}
	spis, drops := new(spiTable), new(drops)
	handshaker, err := newHandshaker(t.private, t.suites, spis.unused, t.peers, rand.Reader)
	if err != nil {
		return nil, err
	}
	events := newEvents(handshaker.recognizes, t.peers, drops, t.log)
	sender := newSender(controllerLane, sockets, events)
	return &controller{
		log:        t.log,
		peers:      t.peers,
		events:     events,
		handshaker: handshaker,
		messenger:  messenger{sender},
		forwarder:  newForwarder(sender, policyOf(t.config), packets.writer()),
		lookups:    newLookups(net.DefaultResolver),
		lifetime:   crypto.Lifetime{RekeyAge: t.config.RekeyAfter, RekeyPackets: t.config.RekeyAfterPackets},
		spis:       spis,
		drops:      drops,
		host:       hostMTUs{network: host, routes: t.config.Routes, log: t.log},
		keys:       keys,
		endpoints:  endpoints,
		egress:     make(chan struct{}, 1),
		alarm:      newAlarm(),
		strangers:  limit{interval: warnEvery},
	}, nil
}

// routeAll leads every allowed prefix into the device, with the MTU that fits
// until the peers' paths are known.
func routeAll(host *hostLink, peers []*peer) error {
	for _, p := range peers {
		for _, prefix := range p.allowed {
			if err := host.route(prefix, defaultInnerMTU); err != nil {
				return err
			}
		}
	}
	return nil
}
