package tunnel

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/status"
)

// reloader reads the configuration of a running tunnel again, and has the control
// goroutine act on what is different.
type reloader struct {
	tunnel     *Tunnel
	controller *controller
	routes     *routes

	mu      sync.Mutex   // one at a time
	running *conf.Config // guarded by mu
}

// run reloads whenever asked, until ctx ends. The log says what has come of it.
func (r *reloader) run(ctx context.Context) {
	for {
		select {
		case <-r.tunnel.reload:
			_, _ = r.reload(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// reload is that of status.Source. Once the file is judged, it is done though ctx may end.
func (r *reloader) reload(ctx context.Context) (report *status.ReloadReport, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if told := r.tunnel.reloading; told != nil {
		told(true)
		defer told(false)
	}
	log := r.tunnel.log
	defer func() {
		if err != nil {
			log.Error("the configuration is not reloaded, and nothing is changed", "error", err)
		}
	}()
	next, err := conf.Load(r.running.Path)
	var mistakes conf.Errors
	if errors.As(err, &mistakes) {
		report = new(status.ReloadReport)
		for _, m := range mistakes {
			log.Error("mistake in the configuration, which is not reloaded", "error", m)
			report.Mistakes = append(report.Mistakes, m.Error())
		}
		return report, nil
	} else if errors.Is(err, conf.ErrNoConfig) {
		log.Error("the configuration is not reloaded, and nothing is changed", "error", err)
		return &status.ReloadReport{Mistakes: []string{err.Error()}}, nil
	} else if err != nil {
		return nil, err
	}
	changes := r.running.ChangesTo(next)
	if len(changes.Unsafe) > 0 {
		return nil, fmt.Errorf("%w: the routes of all peers go by %s", status.ErrRestart, keyList(changes.Restart))
	}
	if err := r.apply(ctx, changes, next); err != nil {
		return nil, err
	}
	log.Info("configuration reloaded", "added", len(changes.Added), "removed", len(changes.Removed), "changed", len(changes.Changed), "tunnel", changes.Live)
	if len(changes.Restart) > 0 {
		log.Warn("these settings need a restart; all else is reloaded", "keys", changes.Restart)
	}
	return reportOf(changes), nil
}

// apply makes the changes, and takes note of what runs then. It makes whatever may fail or
// takes time before the control goroutine is concerned.
func (r *reloader) apply(ctx context.Context, changes conf.Changes, next *conf.Config) (err error) {
	running := r.running.Running(next)
	do := &reload{changes: changes, tunnel: running.Tunnel, peers: running.Peers, routes: r.routes}
	if do.suites, err = suitesOf(&running.Tunnel); err != nil {
		return err
	}
	if private := crypto.PrivateKey(running.Tunnel.PrivateKey); private != crypto.PrivateKey(r.running.Tunnel.PrivateKey) {
		if do.identity, err = newIdentity(private); err != nil {
			return err
		}
	}
	for i := range changes.Changed {
		to := &changes.Changed[i].New
		*to = peerConfig(&running.Tunnel, *to)
	}
	for _, p := range changes.Added {
		do.added = append(do.added, r.tunnel.newPeer(p))
	}
	var refused error
	// It must be known whether it is done.
	err = r.controller.events.ask(context.WithoutCancel(ctx), func(c *controller, now time.Time) { refused = do.apply(c, now) })
	if err = errors.Join(err, refused); err != nil {
		return err
	}
	r.running = running
	if set := r.tunnel.setLevel; set != nil {
		set(running.Tunnel.LogLevel)
	}
	return nil
}

func newIdentity(private crypto.PrivateKey) (*identity, error) {
	responder, err := crypto.NewResponder(private, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	public, err := private.Public()
	return &identity{private, public, responder}, err
}

func reportOf(changes conf.Changes) *status.ReloadReport {
	report := &status.ReloadReport{Removed: changes.Removed, Tunnel: changes.Live, Restart: changes.Restart}
	for _, p := range changes.Added {
		report.Added = append(report.Added, p.Name)
	}
	for _, p := range changes.Changed {
		report.Changed = append(report.Changed, status.ChangedPeer{Peer: p.New.Name, Keys: p.Keys})
	}
	return report
}

// keyList writes keys of the configuration for people.
func keyList(keys []string) string { return strings.Join(keys, ", ") }
