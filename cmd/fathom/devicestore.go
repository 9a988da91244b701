package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"fathom/tunnel"
)

// deviceStore is the service manager's store of file descriptors: FileDescriptorStoreMax=
// in systemd.service(5), FDSTORE=1 in sd_notify(3). The manager keeps what is there
// while the service starts anew, and closes it when the service has stopped for good.
type deviceStore struct {
	manager string // its socket
	queues  []*os.File
	holds   bool // as far as this process knows
}

var _ tunnel.DeviceStore = (*deviceStore)(nil)

const (
	// storedName is that of the descriptors in the store.
	storedName = "tun"
	// barrierWithin bounds the wait for the manager to have read what it was sent.
	barrierWithin = 5 * time.Second
)

// errNoManager: there is nobody to keep a device.
var errNoManager = errors.New("--hand-over needs a service manager, and none listens (NOTIFY_SOCKET is not set)")

// newDeviceStore returns the store of the service manager that has started this
// process, with what a process before has put there. What the manager passes under
// another name is not ours, and closed. Without a service manager there is none.
func newDeviceStore(log *slog.Logger) *deviceStore {
	s := &deviceStore{manager: os.Getenv("NOTIFY_SOCKET")}
	if s.manager == "" {
		return nil
	}
	for _, file := range activation.Files(true) {
		if file.Name() == storedName {
			s.queues = append(s.queues, file)
			continue
		}
		log.Warn("the service manager passes a file descriptor of another name: it is closed", "name", file.Name())
		file.Close()
	}
	s.holds = len(s.queues) > 0
	return s
}

// storeFor returns where a tunnel is to keep its device. One that is not to hand it
// over has none, and empties the store, which else would keep the device from it.
func storeFor(handOver bool, log *slog.Logger) (tunnel.DeviceStore, error) {
	s := newDeviceStore(log)
	switch {
	case s == nil && handOver:
		return nil, usageError(errNoManager, "without one, omit the flag")
	case s == nil:
		return nil, nil
	case handOver:
		return s, nil
	}
	queues := s.Stored()
	for _, queue := range queues {
		queue.Close()
	}
	if len(queues) == 0 {
		return nil, nil
	}
	return nil, s.Clear()
}

// Stored implements tunnel.DeviceStore.
func (s *deviceStore) Stored() []*os.File {
	queues := s.queues
	s.queues = nil
	return queues
}

// Put implements tunnel.DeviceStore. FDPOLL=0: the manager would take a device that
// somebody has deleted for one that is finished with.
func (s *deviceStore) Put(queues []int) error {
	if err := s.remove(); err != nil {
		return err
	}
	if err := s.send("FDSTORE=1\nFDNAME="+storedName+"\nFDPOLL=0", queues...); err != nil {
		return err
	}
	s.holds = true
	return nil
}

// Clear implements tunnel.DeviceStore.
func (s *deviceStore) Clear() error {
	if err := s.remove(); err != nil {
		return err
	}
	s.holds = false
	return s.barrier()
}

// Keeps implements tunnel.DeviceStore.
func (s *deviceStore) Keeps() bool { return s.holds }

func (s *deviceStore) remove() error {
	_, err := daemon.SdNotify(false, "FDSTOREREMOVE=1\nFDNAME="+storedName)
	return err
}

// barrier waits until the manager has done as it was told: it then closes a pipe.
func (s *deviceStore) barrier() error {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ours.Close()
	err = s.send("BARRIER=1", int(theirs.Fd()))
	theirs.Close()
	if err == nil {
		err = ours.SetReadDeadline(time.Now().Add(barrierWithin))
	}
	if err != nil {
		return err
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the service manager does not empty its store of file descriptors: %w", err)
	}
	return nil
}

// send tells the manager something and passes it descriptors, which package daemon
// cannot do.
func (s *deviceStore) send(state string, fds ...int) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.manager, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	// WriteMsgUnix sends nothing on a socket of datagrams that is connected.
	if werr := raw.Write(func(fd uintptr) bool {
		err = unix.Sendmsg(int(fd), []byte(state), unix.UnixRights(fds...), nil, 0)
		return !errors.Is(err, unix.EAGAIN)
	}); werr != nil {
		return werr
	}
	return os.NewSyscallError("sendmsg", err)
}
