//go:build linux

package netlab

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxCapture bounds the memory of one capture, in bytes of packets. Later packets
// are only counted.
const MaxCapture = 256 << 20

// captureBuffer is the kernel's receive buffer of a capture, in bytes.
const captureBuffer = 32 << 20

// Capture records the IP packets of one interface, both ways, in the form they
// have on the wire (see LinkConfig.Offload). Its methods may be called
// concurrently.
type Capture struct {
	// Set once.
	file *os.File // a packet socket
	done chan struct{}
	stop func() error

	mu      sync.Mutex // guards what follows
	arrived sync.Cond  // a packet was added, or the capture ended
	packets []Packet
	size    int    // bytes in packets
	missed  uint64 // packets that came after MaxCapture
	lost    uint64 // packets the kernel had no room for
	ended   bool
}

// Capture starts to record. Stop ends it, as does Lab.Close.
func (i *Interface) Capture() *Capture {
	c, err := i.capture()
	i.host.check("capture on "+i.name, err)
	i.host.lab.own(c)
	return c
}

func (i *Interface) capture() (*Capture, error) {
	var file *os.File
	err := i.host.Do(func() error {
		// Protocol 0 until it is bound: nothing from other interfaces.
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		file = os.NewFile(uintptr(fd), "capture on "+i.String())
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, captureBuffer) // as much as we get
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{
			Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: i.index,
		}))
	})
	if err != nil {
		if file != nil {
			file.Close()
		}
		return nil, err
	}
	c := &Capture{file: file, done: make(chan struct{})}
	c.arrived.L = &c.mu
	c.stop = sync.OnceValue(c.end)
	go c.run()
	return c, nil
}

func (c *Capture) run() {
	defer close(c.done)
	raw, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	buf, oob := make([]byte, 1<<18), make([]byte, 256)
	drain := func(fd uintptr) {
		for c.receive(int(fd), buf, oob) {
		}
	}
	raw.Read(func(fd uintptr) bool { drain(fd); return false }) // until the deadline
	raw.Control(func(fd uintptr) {
		drain(fd) // what came before it
		if stats, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			c.mu.Lock()
			c.lost = uint64(stats.Drops)
			c.mu.Unlock()
		}
	})
}

// receive takes one packet; false means that none is waiting.
func (c *Capture) receive(fd int, buf, oob []byte) bool {
	n, noob, _, from, err := unix.Recvmsg(fd, buf, oob, unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENETDOWN) {
		return true
	}
	if err != nil {
		return false
	}
	at, ok := from.(*unix.SockaddrLinklayer)
	if !ok {
		return true
	}
	switch at.Protocol {
	case networkOrder(unix.ETH_P_IP), networkOrder(unix.ETH_P_IPV6):
	default:
		return true // ARP
	}
	p := Packet{Time: timestamp(oob[:noob]), Sent: at.Pkttype == unix.PACKET_OUTGOING, Data: slices.Clone(buf[:n])}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size+n > MaxCapture {
		c.missed++
		return true
	}
	c.packets = append(c.packets, p)
	c.size += n
	c.arrived.Broadcast()
	return true
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// timestamp finds the kernel's time of arrival.
func timestamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
			ts := (*unix.Timespec)(unsafe.Pointer(&m.Data[0]))
			return time.Unix(ts.Unix())
		}
	}
	return time.Now()
}

func (c *Capture) end() error {
	c.file.SetReadDeadline(time.Unix(1, 0))
	<-c.done
	c.mu.Lock()
	c.ended = true
	c.arrived.Broadcast()
	c.mu.Unlock()
	return c.file.Close()
}

// Stop ends the capture once it has recorded the packets that have arrived.
// Packets stay readable.
func (c *Capture) Stop() { c.stop() }

// Close is Stop, for Lab.Close.
func (c *Capture) Close() error { return c.stop() }

// Packets returns the packets recorded so far, in order. The caller must not change
// the bytes.
func (c *Capture) Packets() []Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.packets)
}

// Missed returns how many packets were not recorded, for want of room here
// (MaxCapture) or in the kernel. The latter is known after Stop.
func (c *Capture) Missed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed + c.lost
}

// Await returns the first recorded packet that match accepts, waiting for it
// at most for the given time; ok is false when none came or the capture ended.
func (c *Capture) Await(atMost time.Duration, match func(Packet) bool) (p Packet, ok bool) {
	expired := false
	timer := time.AfterFunc(atMost, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		expired = true
		c.arrived.Broadcast()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for next := 0; ; {
		for ; next < len(c.packets); next++ {
			if match(c.packets[next]) {
				return c.packets[next], true
			}
		}
		if expired || c.ended {
			return Packet{}, false
		}
		c.arrived.Wait()
	}
}

// WriteFile writes the recorded packets as a pcap file; see WritePcap.
func (c *Capture) WriteFile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(WritePcap(w, c.Packets()), w.Flush(), f.Close())
}
