package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"fathom/tunnel"
)

const (
	// tellEvery is how often the service manager learns the state of the peers, if it
	// has to hear nothing sooner.
	tellEvery = 5 * time.Second
	// vitalsWithin is how long the tunnel may take to tell whether it is alive.
	vitalsWithin = 5 * time.Second
	// leastLife is how long a tunnel that fails has run at least when it ends.
	leastLife = time.Second
)

// restBeforeRestart waits before a failed tunnel ends that has only begun, so that it is
// not started again and again in no time. The service manager knows one pause for all
// ends, and after a crash every moment counts.
func restBeforeRestart(ctx context.Context, began time.Time) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	select {
	case <-time.After(leastLife - time.Since(began)):
	case <-ctx.Done():
	}
}

// service tells a service manager about the tunnel: sd_notify(3). Without one it does
// nothing.
type service struct {
	log      *slog.Logger
	notify   func(state string) (sent bool, err error)
	watchdog time.Duration // it wants a sign of life within; 0: it does not watch
	every    time.Duration // how often the tunnel is looked at
	last     string        // status that was told
	ill      bool          // the log has been told
}

// newService is for the service manager that has started this process.
func newService(log *slog.Logger) *service {
	s := &service{log: log, every: tellEvery, notify: func(state string) (bool, error) { return daemon.SdNotify(false, state) }}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the service manager's watchdog is not understood", "error", err)
	}
	if s.watchdog = watchdog; watchdog > 0 {
		s.every = min(tellEvery, watchdog/3)
	}
	return s
}

// run says that the tunnel has started, and tells of it until ctx is done. It returns
// at once where no service manager listens.
func (s *service) run(ctx context.Context, vitals *tunnel.Vitals) {
	if sent, err := s.notify(daemon.SdNotifyReady); err != nil {
		s.log.Warn("cannot tell the service manager", "error", err)
	} else if !sent {
		return
	}
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		s.look(ctx, vitals)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			_, _ = s.notify(daemon.SdNotifyStopping)
			return
		}
	}
}

// reloading tells that a reload begins, or has ended: sd_notify(3), RELOADING=1.
func (s *service) reloading(begins bool) {
	state := daemon.SdNotifyReady
	if begins {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			s.log.Warn("cannot read the monotonic clock", "error", err)
		}
		state = fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/int64(time.Microsecond))
	}
	if _, err := s.notify(state); err != nil {
		s.log.Warn("cannot tell the service manager", "error", err)
	}
}

// look tells how the tunnel is. It gives no sign of life for one that hangs, which the
// service manager then ends and starts again.
func (s *service) look(ctx context.Context, vitals *tunnel.Vitals) {
	ctx, cancel := context.WithTimeout(ctx, vitalsWithin)
	defer cancel()
	census, err := vitals.Check(ctx)
	if ctx.Err() == context.Canceled {
		return
	}
	if err != nil && !s.ill {
		s.log.Error("the tunnel hangs", "error", err)
	}
	if s.ill = err != nil; s.ill {
		s.tell("the tunnel hangs: " + err.Error())
		return
	}
	s.tell(census.String())
	if s.watchdog > 0 {
		_, _ = s.notify(daemon.SdNotifyWatchdog) // the next one may arrive
	}
}

// tell has the service manager show a status, unless it does.
func (s *service) tell(status string) {
	if status != s.last {
		if _, err := s.notify("STATUS=" + status); err == nil {
			s.last = status
		}
	}
}
