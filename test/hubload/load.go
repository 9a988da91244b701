//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fathom/test/crowd"
	"fathom/test/gateway"
	"fathom/test/netlab"
)

// upWithin is how long all peers may take to be up.
const upWithin = 2 * time.Minute

// searching is how long after that the paths' searches take.
const searching = 2 * time.Second

// load is a hub with a crowd beside it.
type load struct {
	*crowd.Crowd
	hub      *gateway.Gateway
	peers    int
	measured map[string]figures // by what
}

// measure prints and returns the figures of a hub with a number of peers.
func measure(binary, dir string, peers, routes int, idle time.Duration) (_ map[string]figures, err error) {
	l := &load{peers: peers, measured: make(map[string]figures)}
	return l.measured, l.run(binary, dir, routes, idle)
}

func (l *load) run(binary, dir string, routes int, idle time.Duration) (err error) {
	defer netlab.Catch(&err)
	lab, err := netlab.New()
	if err != nil {
		return err
	}
	defer lab.Close()
	at, beside := crowd.Hosts(lab)
	if l.hub, err = gateway.New(at, binary, dir, crowd.HubInner); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.hub.Stop()) }()
	if l.Crowd, err = crowd.New(beside, l.peers); err != nil {
		return err
	}
	if err := l.hub.Configure("", l.Peers()...); err != nil {
		return err
	}
	if err := l.Join(l.hub.Public, crowd.HubOuter); err != nil {
		return err
	}
	defer l.Close()

	if err := l.start(coldStart); err != nil {
		return err
	}
	if err := l.share(idleShare, "", idle, func(context.Context) error { return nil }); err != nil {
		return err
	}
	churn := func(ctx context.Context) error { return crowd.Churn(ctx, at, routes) }
	if err := l.share(foreignRoutes, fmt.Sprintf(" (%d/s)", routes), idle, churn); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), upWithin)
	defer cancel()
	if err := errors.Join(l.hub.Stop(), l.AwaitDown(ctx)); err != nil {
		return err
	}
	return l.start(restart)
}

// start starts the daemon and notes what it takes until all peers are up.
func (l *load) start(what string) error {
	ctx, cancel := context.WithTimeout(context.Background(), upWithin)
	defer cancel()
	began := time.Now()
	if err := l.hub.Start(); err != nil {
		return err
	}
	if err := l.Await(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	used, err := l.hub.CPU()
	if err != nil {
		return err
	}
	l.measured[what] = figures{up: took, cpu: used}
	time.Sleep(searching)
	all, err := l.hub.CPU()
	fmt.Printf("%5d peers, %-20s all up after %6.2f s, CPU time %5.2f s, with the searches %5.2f s\n", l.peers, what+":", took.Seconds(), used.Seconds(), all.Seconds())
	return err
}

// share notes what share of a core the daemon uses while f goes on.
func (l *load) share(what, details string, d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	before, err := l.hub.CPU()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := f(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	after, err := l.hub.CPU()
	if err != nil {
		return err
	}
	used := figures{share: 100 * (after - before).Seconds() / time.Since(began).Seconds()}
	l.measured[what] = used
	fmt.Printf("%5d peers, %-20s %4.1f %% of a core for %v, %d are up\n", l.peers, what+details+":", used.share, d, l.Up())
	return nil
}
