package tunnel

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/host"
	"fathom/tunnel/status"
	"fathom/tunnel/tun"
	"fathom/tunnel/udp"
	"fathom/tunnel/web"
)

// Options are the settings of a tunnel that are not in its configuration.
type Options struct {
	// Logger receives one line per event that an operator cares about.
	// Nil: slog.Default().
	Logger *slog.Logger
	// Version is shown in the status.
	Version string
	// Started is called once, by Run, when the device and the sockets are open and
	// the host is set up. It must not block. Nil: nobody is told.
	Started func(*Vitals)
	// Store keeps the TUN device for the next process. Nil: it ends with this one.
	Store DeviceStore
	// Reload has the configuration file read again for each value. Nil: there are none;
	// the status socket may ask for it, too.
	Reload <-chan os.Signal
	// Reloading is told when a reload begins, and when it has ended. Nil: nobody is.
	Reloading func(begins bool)
	// SetLevel is told of the log level by each reload. Nil: the level stays.
	SetLevel func(slog.Level)
}

// Tunnel is one tunnel: a TUN device, a UDP port and the peers behind it. It
// wires the parts together and owns their lifetimes; the work is theirs.
type Tunnel struct {
	file   *conf.Config // at the start
	config conf.Tunnel
	// defaults are the default routes: see conf.Config.DefaultRoutes.
	defaults []netip.Prefix
	log      *slog.Logger
	version  string
	started  func(*Vitals)
	store    DeviceStore
	reload   <-chan os.Signal
	// See Options.
	reloading func(bool)
	setLevel  func(slog.Level)
	private   crypto.PrivateKey
	public    crypto.PublicKey
	suites    []uint16
	peers     []*peer
	company   *udp.Company // the peers that can be sent data
	// processors are those that the packet loops are made for: GOMAXPROCS when New was called.
	processors int
}

// New prepares a tunnel. It takes nothing from the host before Run.
func New(cfg *conf.Config, opts Options) (*Tunnel, error) {
	t := &Tunnel{
		file:     cfg,
		config:   cfg.Tunnel,
		defaults: cfg.DefaultRoutes(),
		log:      opts.Logger,
		version:  opts.Version,
		started:  opts.Started,
		store:    opts.Store,
		reload:   opts.Reload, reloading: opts.Reloading, setLevel: opts.SetLevel,
		private: crypto.PrivateKey(cfg.Tunnel.PrivateKey),
		company: new(udp.Company), processors: runtime.GOMAXPROCS(0),
	}
	if t.log == nil {
		t.log = slog.Default()
	}
	var err error
	if t.public, err = t.private.Public(); err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	if t.suites, err = suitesOf(&cfg.Tunnel); err != nil {
		return nil, err
	}
	for _, c := range cfg.Peers {
		t.peers = append(t.peers, t.newPeer(c))
	}
	return t, nil
}

func (t *Tunnel) newPeer(c conf.Peer) *peer {
	p := newPeer(peerConfig(&t.config, c))
	p.company = t.company
	return p
}

// peerConfig returns the settings of a peer in a tunnel.
func peerConfig(t *conf.Tunnel, c conf.Peer) conf.Peer {
	if t.OuterDF == conf.OuterDFClear {
		c.Probing = conf.ProbingOff // a probe that arrives in fragments proves nothing
	}
	return c
}

// Run makes the device, opens the port and carries packets until ctx is done
// or the device fails. Before returning it sends Close to every peer and undoes
// its changes to the host, except on a persistent device. It may be called once.
func (t *Tunnel) Run(ctx context.Context) (err error) {
	var cleanup []func()
	defer func() {
		for i := len(cleanup) - 1; i >= 0; i-- {
			cleanup[i]()
		}
	}()

	device, inherited, err := t.openDevice()
	if err != nil {
		return err
	}
	cleanup = append(cleanup, func() { device.Close() })

	link, err := host.Attach(t.config.Name, t.hostConfig(device))
	if err != nil {
		return err
	}
	cleanup = append(cleanup, func() { t.leave(link) })

	conn, err := udp.Listen(t.config.ListenHost, t.config.ListenPort, t.udpConfig(link.Mark()))
	if err != nil {
		return err
	}
	cleanup = append(cleanup, conn.Close)

	listener, err := status.Listen(t.config.StatusSocket)
	if err != nil {
		return err
	}
	cleanup = append(cleanup, func() { listener.Close() })

	keys, err := openKeyLog(t.config.DebugESPSAFile)
	if err != nil {
		return err
	}
	cleanup = append(cleanup, keys.close)
	if keys != nil {
		t.log.Warn("writing the keys of all traffic to a file", "file", t.config.DebugESPSAFile)
	}

	shared, err := t.newShared()
	if err != nil {
		return err
	}
	sender := newSender(controllerPlace, conn, shared.events)
	forwarder := newForwarder(sender, policyOf(t.config), device.NewWriter())
	replies := newSender(controllerPlace, conn, shared.events)
	c := t.newController(shared, link, conn.Addrs()[0].Port(), keys, sender, replies, forwarder)
	watcher, err := link.Watch(c.upkeep.changed, c.changes)
	if err != nil {
		return err
	}
	cleanup = append(cleanup, watcher.Close)
	if err := c.host.begin(t.peers); err != nil {
		return err
	}
	if inherited {
		if err := link.Disown(); err != nil {
			t.log.Warn("left by the process before", "error", err)
		}
	}
	if len(t.defaults) > 0 {
		c.resolveFirst(ctx)
	}
	if err := link.Divert(conn.Addrs()); errors.Is(err, host.ErrFirstLineOnly) {
		t.log.Warn("packets may leave in clear text for a moment where another program deletes a route together with its guard", "error", err)
	} else if err != nil {
		return err
	}
	if table := link.DefaultTable(); table != 0 {
		t.log.Info("default route", "prefixes", t.defaults, "table", table, "fwmark", link.Mark())
	}
	t.tellOfSockets(conn)
	if t.config.ListenHost.IsValid() {
		c.listening.missing = conn.Absent
		c.listening.look(t.log)
	}
	t.log.Info("tunnel up", "name", t.config.Name, "public_key", t.public, "listen", conn.Addrs(), "peers", len(t.peers))
	err = t.carry(ctx, c, device, conn, listener)
	t.log.Info("tunnel down", "name", t.config.Name)
	return err
}

// carry runs the goroutines of the tunnel; see the package documentation for
// who they are and how each ends. The listener is that of the status socket.
func (t *Tunnel) carry(ctx context.Context, c *controller, device *tun.Device, conn *udp.Conn, listener net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.logDevice(device)
	routes := newRoutes(t.peers)
	policy := policyOf(t.config)
	vitals := newVitals(c)
	var loops sync.WaitGroup
	readers := device.Readers()
	for i, reader := range readers {
		loops.Go(func() {
			transmit := &transmitter{
				reader: reader, routes: routes, returns: &returns{c.ownPort, c.places}, drops: c.drops,
				forwarder: newForwarder(newSender(transmitterPlace(i, len(readers)), conn, c.events), policy, device.NewWriter()),
			}
			defer vitals.watch("transmitter", &transmit.heart, conn.Full)()
			if err := transmit.run(); err != nil {
				cancel(err)
			}
		})
	}
	ports := &ports{conn: conn, events: c.events, receive: func(conn *udp.Conn) {
		for _, inbox := range conn.Inboxes() {
			loops.Go(func() {
				r := newReceiver(inbox, device, policy.clampMSS, routes, c)
				defer vitals.watch("receiver", &r.heart, nil)()
				r.run()
			})
		}
	}}
	ports.receive(conn)
	c.port.open = ports.open
	reloader := &reloader{tunnel: t, controller: c, routes: routes, running: t.file}
	report := &reporter{t, c, reloader, device, conn, anchor{at: time.Now()}}
	loops.Go(func() { reloader.run(ctx) })
	loops.Go(func() { status.Serve(ctx, listener, report, t.log) })
	if pages := web.Open(t.config.MetricsAddr, t.config.MetricsSocket, t.log); pages != nil {
		loops.Go(func() { pages.Serve(ctx, report) })
	}

	if t.started != nil {
		t.started(vitals)
	}
	c.run(ctx) // says farewell while the sockets are still open

	ports.close()
	device.Close()
	loops.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// shared is what the packet loops and the controller have in common.
type shared struct {
	spis       *spiTable
	places     *places
	drops      *drops
	handshaker *handshaker
	events     *events
}

func (t *Tunnel) newShared() (s shared, err error) {
	s = shared{spis: new(spiTable), places: new(places), drops: new(drops)}
	if s.handshaker, err = newHandshaker(t.private, t.public, t.suites, s.spis.unused, t.peers, rand.Reader); err != nil {
		return s, err
	}
	gate := newGate(s.handshaker.responder, &s.handshaker.initiators, s.places)
	s.events = newEvents(gate, s.places, s.drops, t.log)
	return s, nil
}

// newController makes the controller, which sends messages by one sender, packets
// that have waited for an SA by the forwarder, and has its opener send cookie replies
// by a sender of its own. port is that of our sockets.
func (t *Tunnel) newController(s shared, network hostNetwork, port uint16, keys *keyLog, sender messageSender, replies plainSender, forwarder *forwarder) *controller {
	endpoints, err := loadEndpointCache(filepath.Join(filepath.Dir(t.config.StatusSocket), t.config.Name+".peers"), t.peers)
	if err != nil {
		t.log.Warn("cannot read the peers' last endpoints", "error", err)
	}
	for _, p := range t.peers {
		endpoints.remind(p)
	}
	own, known := new(atomic.Uint32), new(answers)
	own.Store(uint32(port))
	return &controller{
		log:        t.log,
		ownPort:    own,
		port:       otherPort{hint: portHint(t.config.ListenPort, len(t.defaults) > 0)},
		peers:      t.peers,
		events:     s.events,
		handshaker: s.handshaker,
		opener:     &opener{s.handshaker.responder, s.events, replies, known, s.drops, t.log},
		messenger:  messenger{sender},
		forwarder:  forwarder,
		lookups:    newLookups(host.Resolver(network.Mark())),
		lifetime:   crypto.Lifetime{RekeyAge: t.config.RekeyAfter, RekeyPackets: t.config.RekeyAfterPackets},
		spis:       s.spis,
		places:     s.places,
		drops:      s.drops,
		host:       newHostMTUs(t.config, network, port, t.log),
		recorder:   newRecorder(t.config.HistoryFile, len(t.peers), t.log),
		version:    t.version,
		upkeep:     newUpkeep(network, t.log),
		keys:       keys,
		endpoints:  endpoints,
		changes:    host.NewChanges(),
		strangers:  limit{interval: warnEvery},
		listen:     t.config.ListenHost,
		inner:      t.config.Addresses,
		uplinks:    t.config.Uplinks,
		answers:    known,
	}
}
