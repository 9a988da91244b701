package tunnel

import (
	"errors"
	"os"
	"syscall"
	"time"

	"fathom/tunnel/host"
	"fathom/tunnel/tun"
)

// A DeviceStore keeps the TUN device from one process to the next, so that addresses,
// routes and the connections of the host outlive a restart, and nothing leaves in clear
// text meanwhile. A service manager's store of file descriptors can be one. Sockets and
// SAs are not kept: the peers are called anew, which takes a round trip, and counters
// that came from elsewhere might use a nonce twice.
//
// With one, a process leaves its guards and rules to the next as well. Where none
// follows, what the store holds is closed, and Release has to be called.
type DeviceStore interface {
	// Stored returns the queues that a process before has put there, none at the first
	// start. They are the caller's to close.
	Stored() []*os.File
	// Put stores copies of the queues in the place of all others.
	Put(queues []int) error
	// Clear empties the store. When it returns the copies are closed, or about to be.
	Clear() error
	// Keeps reports, when this process ends, whether the store has its device.
	Keeps() bool
}

// openDevice takes over the device of the process before, if that has left one and it
// is as the configuration wants it, and makes one otherwise. inherited tells which.
func (t *Tunnel) openDevice() (device *tun.Device, inherited bool, err error) {
	if t.store == nil {
		device, err = tun.Open(t.config.Name, t.deviceConfig())
		return device, false, err
	}
	open := tun.Open
	if queues := t.store.Stored(); len(queues) > 0 {
		before := tun.NameOf(queues[0])
		device, err = tun.Adopt(t.config.Name, t.deviceConfig(), queues)
		for _, queue := range queues {
			err = errors.Join(err, queue.Close())
		}
		if err == nil {
			t.log.Info("the TUN device of the process before is taken over", "name", t.config.Name)
			return device, true, nil
		}
		if device != nil {
			device.Close()
		}
		t.log.Warn("the TUN device is made anew: what the host had added to it is lost", "name", t.config.Name, "before", before, "error", err)
		if err := t.store.Clear(); err != nil {
			return nil, false, err
		}
		if before != "" && before != t.config.Name {
			// Nobody will start a tunnel for that one.
			if err := host.Release(before, releaseConfig(t.config), nil); err != nil {
				t.log.Warn("left by the process before", "name", before, "error", err)
			}
		}
		open = openWhenClosed
	}
	if device, err = open(t.config.Name, t.deviceConfig()); err == nil {
		t.storeDevice(device)
	}
	return device, false, err
}

const (
	closedPoll = 5 * time.Millisecond
	// closedPatience bounds the wait for a store that closes what it held: a thread of
	// systemd's does that, some time after the store is empty.
	closedPatience = 3 * time.Second
)

// openWhenClosed opens a device that another process is about to close.
func openWhenClosed(name string, config tun.Config) (*tun.Device, error) {
	for deadline := time.Now().Add(closedPatience); ; time.Sleep(closedPoll) {
		device, err := tun.Open(name, config)
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return device, err
		}
	}
}

// storeDevice stores the device for the next process. One that lacks something the next
// would ask for is not stored: it would be made anew.
func (t *Tunnel) storeDevice(device *tun.Device) {
	wanted := t.deviceConfig()
	if t.store == nil || device.Queues() != wanted.Queues || device.Features().TCP != wanted.Offload {
		return
	}
	if err := device.HandOver(t.store.Put); err != nil {
		t.log.Warn("the TUN device cannot be kept for a restart", "name", t.config.Name, "error", err)
	}
}

// remakeDevice makes the device again that somebody has deleted.
func (t *Tunnel) remakeDevice(device *tun.Device) func() error {
	return func() error {
		err := device.Reopen()
		if err == nil {
			t.storeDevice(device)
		}
		return err
	}
}

// leave closes the link. For a next process that takes the device over, the guards and
// the rules stay as well: until it runs, all that is for the peers waits in the device.
func (t *Tunnel) leave(link *host.Link) {
	if t.store != nil && t.store.Keeps() {
		link.KeepGuards()
	}
	link.Close()
}
