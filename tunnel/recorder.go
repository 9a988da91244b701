package tunnel

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"fathom/pmtud"
	"fathom/tunnel/history"
	"fathom/tunnel/status"
)

// recorder keeps the history of the peers, in memory and in a file. What flows is written
// at most once a minute, and an event at once, together with what waits. It belongs to the
// control goroutine.
type recorder struct {
	log     *history.Log
	file    *historyFile // nil: there is none
	clock   history.Clock
	epoch   time.Time // of the clock that nobody sets
	looked  time.Time // at the clocks
	waiting []byte    // to be written
	writeAt time.Time // when that is done at the latest; zero: nothing waits
	written time.Time // when it was done last without an event
	scratch []history.Record
	frame   []byte
}

const (
	// historyPerPeer is what a file of a history may have for each peer, in bytes: about
	// six hours of traffic, or weeks where there is one peer. Both bounds are for all peers
	// together; there are two such files.
	historyPerPeer = 16 << 10
	minHistory     = 1 << 20
	maxHistory     = 4 << 20

	// historyGathered is how long a record of traffic waits for those of other peers.
	historyGathered = 10 * time.Second
	historyEvery    = time.Minute

	// clocksEvery is how often it is looked whether the clock was set.
	clocksEvery = time.Second
)

// historySize is how many bytes each file of a history may have.
func historySize(peers int) int { return min(max(minHistory, peers*historyPerPeer), maxHistory) }

// newRecorder makes a recorder, which knows what the file holds. An empty name means that
// there is none.
func newRecorder(name string, peers int, log *slog.Logger) *recorder {
	size := historySize(peers)
	r := &recorder{}
	if name == "" {
		r.log = history.NewLog(2 * size)
		return r
	}
	before, err := ReadHistory(name, int64(size))
	if err != nil {
		log.Warn("cannot read the history", "error", err)
	}
	r.log = history.NewLog(2*size, before[:]...)
	r.file = newHistoryFile(name, size, log)
	return r
}

// begin records that the tunnel has started, and has a goroutine write, which ends after
// close has been called.
func (r *recorder) begin(version string, running *sync.WaitGroup, now time.Time) {
	r.epoch = now
	if r.file != nil {
		running.Go(r.file.run)
	}
	r.lookAtClocks(now)
	r.scratch = append(r.scratch[:0], history.Record{At: now, Kind: history.Started, Version: version})
	r.add(r.scratch, now)
}

// close records that the tunnel has ended.
func (r *recorder) close(peers []*peer, now time.Time) {
	r.scratch = r.scratch[:0]
	for _, p := range peers {
		v := p.view()
		r.scratch = p.observer.End(r.scratch, &v, now)
	}
	r.add(append(r.scratch, history.Record{At: now, Kind: history.Stopped}), now)
	if r.file != nil {
		r.file.close()
	}
}

// lookAtClocks records that the clock was set.
func (r *recorder) lookAtClocks(now time.Time) {
	if !r.looked.IsZero() && now.Sub(r.looked) < clocksEvery {
		return
	}
	r.looked = now
	r.scratch = r.clock.Look(r.scratch[:0], now.Round(0), now.Sub(r.epoch), asleep())
	r.add(r.scratch, now)
}

// add keeps records, and writes them if there is an event among them.
func (r *recorder) add(records []history.Record, now time.Time) {
	event := false
	for i := range records {
		r.frame = history.Append(r.frame[:0], &records[i])
		r.log.Add(r.frame)
		event = event || records[i].Kind != history.Flow
		if r.file != nil {
			r.waiting = append(r.waiting, r.frame...)
		}
	}
	switch {
	case len(r.waiting) == 0:
	case event:
		r.write()
	case r.writeAt.IsZero():
		r.writeAt = now.Add(historyGathered)
		if at := r.written.Add(historyEvery); at.After(r.writeAt) {
			r.writeAt = at
		}
	}
}

// writeDue writes the traffic that waits.
func (r *recorder) writeDue(now time.Time) {
	r.written = now
	r.write()
}

func (r *recorder) write() {
	if len(r.waiting) > 0 {
		r.file.write(r.waiting)
	}
	r.waiting, r.writeAt = r.waiting[:0], time.Time{}
}

// record takes note of what has happened to a peer.
func (c *controller) record(p *peer, now time.Time) {
	r := c.recorder
	r.lookAtClocks(now)
	v := p.view()
	r.scratch = p.observer.Look(r.scratch[:0], &v, now)
	r.add(r.scratch, now)
	for i := range r.scratch {
		if e := &r.scratch[i]; e.Kind == history.Resized {
			c.tellSize(p, e, now)
		}
	}
}

// sizesBurst changes of the PLPMTU of a peer at once, and one each warnEvery, are worth a
// line of the log each.
const sizesBurst = 5

// tellSize logs a change of the PLPMTU that has lasted.
func (c *controller) tellSize(p *peer, e *history.Record, now time.Time) {
	level := slog.LevelDebug
	if p.sizesTold.allow(now) {
		level = slog.LevelInfo
	}
	var inner int
	if p.path != nil {
		inner = p.path.innerMTU
	}
	c.log.Log(context.Background(), level, "PLPMTU changed", "peer", p.name, "from", e.From, "to", e.To, "cause", e.Cause, "inner_mtu", inner, "after", e.Lasted)
}

// view is what a history sees of the peer.
func (p *peer) view() history.View {
	v := history.View{
		Up: p.up, Silent: p.liveness.silent() || p.measures() && p.discovery.State() == pmtud.Unreachable, Why: p.lostWhy,
		Settled: p.discovery.Settled(), LossPercent: 100 * p.discovery.Loss(), Handshakes: p.handshakes,
		TxBytes: p.tx.bytes.Load(), RxBytes: p.rx.bytes.Load(), TxPackets: p.tx.packets.Load(), RxPackets: p.rx.packets.Load(),
	}
	if rtt, _ := p.discovery.RTT(); rtt > 0 {
		v.RTTMillis = millis(rtt)
	}
	if path := p.path; path != nil {
		v.Remote, v.Interface, v.PLPMTU = path.Remote(), p.uplinkNames[path.pair.Interface], path.plpmtu
	}
	if cause, ok := p.discovery.LastCause(); ok {
		v.Cause = cause.String()
	}
	if cause, ok := p.paths.LastCause(); ok {
		v.Moved = cause.String()
	}
	return v
}

// maxHistoryRecords bounds an answer.
const maxHistoryRecords = 100_000

// history answers a request for what is remembered.
func (c *controller) history(ctx context.Context, q status.HistoryQuery) (*status.History, error) {
	var refused error
	var held history.Snapshot
	var running []byte
	var to time.Time
	h := &status.History{Running: true}
	err := c.events.ask(ctx, func(c *controller, now time.Time) {
		if q.Peer != "" {
			if _, refused = c.named(q.Peer); refused != nil {
				return
			}
		}
		to, held = now.Round(0), c.recorder.log.Snapshot()
		for _, p := range c.peers {
			if q.Peer == "" || q.Peer == p.name {
				h.Peers = append(h.Peers, p.name)
				v := p.view()
				for _, r := range p.observer.Running(&v, now) {
					running = history.Append(running, &r)
				}
			}
		}
	})
	if err == nil { // after an error the event may still run
		err = refused
	}
	if err != nil {
		return nil, err
	}
	fillHistory(h, q, to, held[0], held[1], running)
	return h, nil
}

// fillHistory fills in what a query asks for of encoded histories.
func fillHistory(h *status.History, q status.HistoryQuery, to time.Time, histories ...[]byte) {
	h.Schema, h.To = status.HistorySchema, to
	h.Records, h.From = history.Query{Peer: q.Peer, From: to.Add(-q.Since), AtMost: maxHistoryRecords}.Select(to, histories...)
	if h.Records == nil {
		h.Records = []history.Record{}
	}
}

// StoredHistory returns what the file of a tunnel that does not run says of its peers,
// whose names are given.
func StoredHistory(file string, q status.HistoryQuery, peers []string, now time.Time) (*status.History, error) {
	parts, err := ReadHistory(file, maxHistory)
	if err != nil {
		return nil, err
	}
	h := &status.History{Peers: peers}
	fillHistory(h, q, now.Round(0), parts[0], parts[1])
	return h, nil
}
