//go:build linux

package hubload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"fathom/test/crowd"
	"fathom/test/gateway"
	"fathom/test/netlab"
)

// upWithin is how long all peers may take to be up.
const upWithin = 2 * time.Minute

// searching is how long after that the paths' searches take.
const searching = 2 * time.Second

// talkers is how many peers talk where it is not all of them, and talkEvery how often
// each does.
const (
	talkers   = 10
	talkEvery = time.Second
)

// Config says what to measure.
type Config struct {
	Sizes  []int         // numbers of peers
	Idle   time.Duration // how long to look at each state of a hub
	Routes int           // foreign routes a second
	Binary string        // the command
}

// Run measures, prints the figures as they come, and returns how many targets are not met.
func Run(w io.Writer, dir string, c Config) (missed int, err error) {
	all := make(results)
	for _, peers := range c.Sizes {
		l := &load{Config: c, out: w, peers: peers, measured: make(map[string]figures)}
		at := filepath.Join(dir, fmt.Sprint(peers))
		if err := errors.Join(os.Mkdir(at, 0o700), l.run(at)); err != nil {
			return 0, fmt.Errorf("%d peers: %w", peers, err)
		}
		all[peers] = l.measured
	}
	all.table(w)
	return all.judge(w), nil
}

// load is a hub with a crowd and a branch beside it.
type load struct {
	Config
	*crowd.Crowd
	out         io.Writer
	hub, branch *gateway.Gateway
	peers       int
	measured    map[string]figures // by what
}

func (l *load) run(dir string) (err error) {
	defer netlab.Catch(&err)
	lab, err := netlab.New()
	if err != nil {
		return err
	}
	defer lab.Close()
	at, beside := crowd.Hosts(lab)
	if l.hub, err = gateway.New(at, l.Binary, dir, crowd.HubInner); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.hub.Stop()) }()
	if err := l.settle(lab, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.branch.Stop()) }()
	if l.Crowd, err = crowd.New(beside, l.peers); err != nil {
		return err
	}
	if err := l.hub.Configure("", append([]gateway.Peer{{Gateway: l.branch}}, l.Peers()...)...); err != nil {
		return err
	}
	if err := l.Join(l.hub.Public, crowd.HubOuter); err != nil {
		return err
	}
	defer l.Close()
	for _, step := range []func() error{l.coldStart, l.rest, l.talk, l.churn, l.storm, l.restart} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// settle makes the branch.
func (l *load) settle(lab *netlab.Lab, dir string) (err error) {
	host := lab.Host("branch")
	lab.Connect(host, l.hub.Host, netlab.LinkConfig{AddrA: netlab.Prefixes("10.2.0.2/24"), AddrB: netlab.Prefixes("10.2.0.1/24")})
	if l.branch, err = gateway.New(host, l.Binary, dir, "10.78.0.1/32"); err != nil {
		return err
	}
	return l.branch.Configure("", gateway.Peer{Gateway: l.hub, Endpoint: fmt.Sprintf("10.2.0.1:%d", gateway.Port)})
}

// tell prints a line about what was measured, and keeps it.
func (l *load) tell(what string, f figures, format string, args ...any) {
	l.measured[what] = f
	fmt.Fprintf(l.out, "%5d peers, %-16s %s\n", l.peers, what+":", fmt.Sprintf(format, args...))
}

func (l *load) coldStart() error {
	if err := l.start(coldStart); err != nil {
		return err
	}
	if err := l.branch.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), upWithin)
	defer cancel()
	_, err := l.branch.Await(ctx, gateway.Established)
	return err
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
	time.Sleep(searching)
	all, err := l.hub.CPU()
	l.tell(what, figures{up: took, cpu: used}, "all up after %.2f s, CPU time %.2f s, with the searches %.2f s", took.Seconds(), used.Seconds(), all.Seconds())
	return err
}

// rest looks at the hub while nothing happens, and at its memory.
func (l *load) rest() error {
	used, err := l.share(func(context.Context) error { return nil })
	if err != nil {
		return err
	}
	l.tell(idle, figures{share: used}, "%.2f %% of a core for %v, %d are up", used, l.Idle, l.Up())
	memory, err := l.hub.Memory()
	l.tell(memoryUsed, figures{memory: memory}, "%.1f MB", float64(memory)/1e6)
	return err
}

// talk looks at the hub while peers talk.
func (l *load) talk() error {
	for _, one := range []struct {
		what  string
		peers int
	}{{tenTalk, min(talkers, l.peers)}, {allTalk, l.peers}} {
		sent, answered := l.Echoes()
		used, err := l.share(func(ctx context.Context) error {
			l.Talk(one.peers, talkEvery)
			<-ctx.Done()
			l.Talk(0, 0)
			return nil
		})
		if err != nil {
			return err
		}
		allSent, allAnswered := l.Echoes()
		more := used - l.measured[idle].share
		each := time.Duration(more / 100 / float64(one.peers) * float64(talkEvery))
		l.tell(one.what, figures{share: used, each: each}, "%.2f %% of a core, %v for each echo; %d of %d are answered",
			used, each.Round(100*time.Nanosecond), allAnswered-answered, allSent-sent)
	}
	return nil
}

// churn looks at the hub while foreign routes come and go.
func (l *load) churn() error {
	used, err := l.share(func(ctx context.Context) error { return crowd.Churn(ctx, l.hub.Host, l.Routes) })
	l.tell(foreignRoutes, figures{share: used}, "%.2f %% of a core with %d a second", used, l.Routes)
	return err
}

// share returns what share of a core the daemon uses while f goes on, in percent.
func (l *load) share(f func(context.Context) error) (percent float64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.Idle)
	defer cancel()
	before, err := l.hub.CPU()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := f(ctx); err != nil {
		return 0, err
	}
	<-ctx.Done()
	after, err := l.hub.CPU()
	return 100 * (after - before).Seconds() / time.Since(began).Seconds(), err
}

// calm is for how long the branch's round trips are measured at rest.
const calm = 5 * time.Second

// storm compares the branch's round trips at rest with those while nine of ten peers
// begin anew.
func (l *load) storm() error {
	ctx, cancel := context.WithTimeout(context.Background(), upWithin)
	defer cancel()
	trips, err := l.echoes(func() error { time.Sleep(calm); return nil })
	if err != nil {
		return err
	}
	l.tell(restTrips, figures{late: trips.late()}, "%v", trips)
	trips, err = l.echoes(func() error {
		l.Begin(l.peers / 10)
		return l.Await(ctx)
	})
	if err != nil {
		return err
	}
	l.tell(stormTrips, figures{late: trips.late(), up: trips.lasted}, "%v", trips)
	return nil
}

// restart has the hub restart. The branch's round trips are those since it is up.
func (l *load) restart() error {
	if err := l.hub.Stop(); err != nil {
		return err
	}
	l.HubEnded()
	trips, err := l.echoes(func() error { return l.start(restart) })
	if err != nil {
		return err
	}
	l.tell(restartTrips, figures{late: trips.late()}, "%v", trips)
	return nil
}
