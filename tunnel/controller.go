package tunnel

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"fathom/crypto"
	"fathom/tunnel/host"
)

// controller is the goroutine that decides: it has handshakes made, replaces
// SAs, follows peers that move, and watches whether they live. It owns the state
// of all peers; the packet loops see what it publishes through atomics.
//
// It works in one way only: an event changes the state of a peer, then attend
// does the due work for that peer and asks each of its concerns when it is due
// next. So no event has to know which deadlines it moves.
type controller struct {
	log        *slog.Logger
	peers      []*peer
	events     *events
	agenda     agenda
	handshaker *handshaker
	opener     *opener // of the initiations that arrive
	messenger  messenger
	forwarder  *forwarder // sends what waited for an SA
	lookups    *lookups
	lifetime   crypto.Lifetime
	spis       *spiTable
	places     *places
	drops      *drops
	host       hostMTUs
	keys       *keyLog
	endpoints  *endpointCache
	recorder   *recorder
	version    string // of the program
	upkeep     upkeep
	changes    *host.Changes // of the host's interfaces, routes and rules
	lookout    lookout       // for them
	survey     survey        // of the peers, for the last ones
	stranger   stranger
	strangers  limit // of warnings about strangers' handshakes
	turns      turns // of initiations
	listening  listening
	uplinks    []string         // see conf.Tunnel
	filtered   map[string]*peer // uplinks whose rp_filter drops what comes, and the peer that it was told for
	listen     netip.Addr       // of our sockets; invalid: all addresses
	inner      []netip.Prefix   // addresses of this end
	port       otherPort
	ownPort    *atomic.Uint32 // of our sockets, for the packet loops
	answers    *answers
}

// run ends when ctx is done; it then tells the peers. It runs the opener, too.
func (c *controller) run(ctx context.Context) {
	var opening sync.WaitGroup
	opening.Go(c.opener.run)
	defer opening.Wait()
	defer c.events.close()
	defer c.lookups.end()
	var writing sync.WaitGroup
	defer writing.Wait()
	c.recorder.begin(c.version, &writing, time.Now())
	c.begin(time.Now())
	alarm, looking, saving, recording := newAlarm(), newAlarm(), newAlarm(), newAlarm()
	for {
		alarm.set(c.agenda.next())
		looking.set(c.lookOutAt())
		saving.set(c.endpoints.saveAt)
		recording.set(c.recorder.writeAt)
		select {
		case <-ctx.Done():
			c.recorder.close(c.peers, time.Now())
			c.farewell()
			c.saveEndpoints()
			return
		case <-c.events.ready:
			c.actOnNext()
		case <-c.upkeep.changed:
			c.upkeep.restore(time.Now())
		case <-c.upkeep.again.C:
			c.upkeep.restore(time.Now())
		case <-c.changes.Told():
			c.lookout.told(time.Now())
		case <-looking.timer.C:
			looking.rung()
			c.lookOut(time.Now())
		case <-alarm.timer.C:
			alarm.rung()
			c.attendDue(time.Now())
			c.catchUp()
		case <-recording.timer.C:
			recording.rung()
			c.recorder.writeDue(time.Now())
		case <-saving.timer.C:
			saving.rung()
			c.saveEndpoints()
		}
	}
}

// begin calls the peers whose endpoints are known, as soon as it is their turn.
func (c *controller) begin(now time.Time) {
	c.agenda.epoch = now
	c.learnAnswers()
	for _, p := range c.peers {
		c.beginPeer(p, now)
	}
}

func (c *controller) beginPeer(p *peer, now time.Time) {
	p.replays.Begin(now)
	if len(p.endpoints) > 0 || len(p.candidates) > 0 {
		p.initiations.want(now)
	}
	c.agenda.set(&p.appointment, now)
}

// dueAtOnce bounds how many peers are attended to before the events that this
// leads to are looked at. Where thousands are due, as at the start, the queue of
// events so has room for all the answers.
const dueAtOnce = 16

// attendDue attends to peers that are due.
func (c *controller) attendDue(now time.Time) {
	for _, p := range c.agenda.take(now, dueAtOnce) {
		c.attend(p, now)
	}
}

// eventsAtOnce bounds how many events are taken before it is looked who is due.
const eventsAtOnce = 512

// catchUp takes the events that wait, but none that come meanwhile.
func (c *controller) catchUp() {
	for range min(c.events.waiting(), eventsAtOnce) {
		c.actOnNext()
	}
}

// actOnNext takes the event whose turn it is, if one waits.
func (c *controller) actOnNext() {
	if event := c.events.take(); event != nil {
		event(c, time.Now())
	}
}

// saveEndpoints writes down where the peers are.
func (c *controller) saveEndpoints() {
	if err := c.endpoints.save(); err != nil {
		c.log.Debug("cannot save the peers' endpoints", "error", err)
	}
}

// attend does the due work for a peer and notes when it is due next.
func (c *controller) attend(p *peer, now time.Time) {
	if p.removed {
		return
	}
	c.lookForEgress(p, now)
	c.lookAtPaths(p, now)
	c.tellPort(p, now)
	c.renewSAs(p, now)
	c.watchData(p, now)
	c.checkLiveness(p, now)
	c.inquire(p, now)
	if p.initiations.due(now) {
		c.initiate(p, now)
	}
	c.forwarder.releaseWaiting(p, now)
	c.pollDiscovery(p, now)
	c.pollStandbys(p, now)
	c.places.follow(p)
	c.continueProbeRun(p, now)
	c.continueHops(p, now)
	c.askForHops(p, now)
	c.askForFacts(p, now)
	if p.path != nil && !p.looped() && p.keepalive.look(now, p.numbered()) {
		c.messenger.keepalive(p)
	}
	p.feelPulse(now)
	c.record(p, now)
	c.agenda.set(&p.appointment, earliest(p.deadline(), c.agenda.coarse(p.coarseDeadline(c.lifetime, now))))
}

// checkLiveness asks a silent peer for a sign of life and tries a handshake with
// one that gives none. The SAs stay: they may yet work.
func (c *controller) checkLiveness(p *peer, now time.Time) {
	if p.sas.current == nil {
		return
	}
	was := p.liveness.silent()
	echo, dead := p.liveness.look(now, p.authentic.Load(), p.numbered())
	if dead && !was {
		c.log.Warn("peer does not answer", "peer", p.name)
		p.initiations.hurry(now)
	} else if was && !dead {
		c.log.Info("peer answers again", "peer", p.name)
		c.heard(p)
	}
	if echo {
		c.messenger.echo(p, now)
	}
}

// farewell tells every peer that its SAs are of no use any more, by the pair of
// addresses in use alone. A Close that is lost does no more harm than a crash, since the
// peer finds out by itself; by all pairs, each copy but the first would look to the peer
// like a packet of an SA that it does not have.
func (c *controller) farewell() {
	for _, p := range c.peers {
		c.messenger.close(p)
		c.spis.remove(p.sas.clear())
		p.publish()
	}
}
