package tunnel

import (
	"errors"
	"os"

	"fathom/tunnel/host"
	"fathom/tunnel/tun"
)

// A DeviceStore keeps the TUN device from one process to the next, so that addresses,
// routes and the connections of the host outlive a restart, and nothing leaves in clear
// text meanwhile. A service manager's store of file descriptors can be one. Sockets and
// SAs are not kept: the peers are called anew, which takes a round trip, and counters
// that came from elsewhere might use a nonce twice.
type DeviceStore interface {
	// Stored returns the queues that a process before has put there, none at the first
	// start. They are the caller's to close.
	Stored() []*os.File
	// Put stores copies of the queues in the place of all others.
	Put(queues []int) error
	// Clear empties the store. When it returns the copies are closed.
	Clear() error
	// Keeps reports, when this process ends, whether a next one gets what is stored.
	Keeps() bool
}

// openDevice takes over the device of the process before, if that has left one and it
// is as the configuration wants it, and makes one otherwise. inherited tells which.
func (t *Tunnel) openDevice() (device *tun.Device, inherited bool, err error) {
	if t.store == nil {
		device, err = tun.Open(t.config.Name, t.deviceConfig())
		return device, false, err
	}
	if queues := t.store.Stored(); len(queues) > 0 {
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
		t.log.Warn("the TUN device is made anew: what the host had added to it is lost", "name", t.config.Name, "error", err)
		if err := t.store.Clear(); err != nil {
			return nil, false, err
		}
	}
	if device, err = tun.Open(t.config.Name, t.deviceConfig()); err == nil {
		t.storeDevice(device)
	}
	return device, false, err
}

// storeDevice stores the device for the next process.
func (t *Tunnel) storeDevice(device *tun.Device) {
	if t.store == nil {
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
