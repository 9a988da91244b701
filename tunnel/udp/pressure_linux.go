package udp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file deals with full sockets of an Outbox, and with knowing them in advance.

// remedy says what to do about a socket that is full.
func (o *Outbox) remedy(s *socket) remedy {
	list := s.list
	return fullSocket{
		waits:   o.config.Wait,
		several: list.several(),
		company: o.conn.config.Company.Several(),
		own:     s != list.common.Load(),
	}.remedy()
}

// turnAway reports whether a run is to be sent once more, by another socket than the
// full one.
func (o *Outbox) turnAway(s *socket, r *run) bool {
	to := r.to
	if o.conn.socketFor(to, r.asData) != s {
		return true // another outbox has changed that
	}
	if r.asData && !o.config.Wait {
		r.asData = false
		return o.conn.socketFor(to, false) != s
	}
	list := s.list
	switch o.remedy(s) {
	case wait: // since a moment ago
		return true
	case part:
		return list.part(to, s, o.conn.now())
	case rejoin:
		list.rejoin(to)
		return true
	}
	return false
}

// Pressure returns how much of its room a destination uses. One that shares its
// outlet, or that sends alone, has room: see OutboxConfig.Wait. What waits in
// the outbox counts: after a Flush there may be room.
func (o *Outbox) Pressure(to *Destination) Pressure {
	s := to.own.Load()
	if s == nil {
		return Roomy
	}
	waiting := o.bytesFor(to)
	if s.level.Load()+waiting < s.gauge.crowded.Load() || !o.conn.config.Company.Several() {
		return Roomy
	}
	o.measure(s) // which may be less by now
	switch level := s.level.Load(); {
	case level+waiting >= s.gauge.full.Load():
		return Full
	case level >= s.gauge.crowded.Load():
		return Crowded
	}
	return Roomy
}

// bytesFor returns how much for a destination waits in the outbox.
func (o *Outbox) bytesFor(to *Destination) (bytes int64) {
	for i := range o.runs {
		if r := &o.runs[i]; r.to == to {
			bytes += int64(r.end - r.start)
		}
	}
	return bytes
}

// owns reports whether a socket is, or was a moment ago, an own outlet.
func (o *Outbox) owns(s *socket) bool {
	return o.config.Wait && s != s.list.common.Load()
}

// measure learns how much of an own outlet is in use.
func (o *Outbox) measure(s *socket) {
	if s.raw.Control(o.callOutQ) != nil {
		return // closed
	}
	now := o.conn.now()
	s.level.Store(int64(o.outQ))
	s.used.Store(int64(now))
	s.gauge.observe(now, s.sent.Load(), int(o.outQ), int(s.limit.Load()))
}

// account counts the messages of a batch that an own outlet has taken.
func (o *Outbox) account(s *socket, messages int) {
	bytes := -o.lost
	for _, m := range o.messages[:messages] {
		bytes += m.end - m.start
	}
	s.sent.Add(int64(bytes))
	s.level.Add(int64(bytes))
}

// siocoutq makes the system call. The answer is sk_wmem_alloc of the kernel, by
// which it decides whether a socket is full.
func (o *Outbox) siocoutq(fd uintptr) {
	o.outQ = 0
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, fd, unix.SIOCOUTQ, uintptr(unsafe.Pointer(&o.outQ)))
}

// Full reports whether an outbox waits for room in a socket. Any goroutine may call it.
func (c *Conn) Full() bool {
	now := c.sockets.Load()
	if now == nil {
		return false
	}
	for _, o := range []*outlets{now.out4, now.out6} {
		if o != nil && o.waitedFor() {
			return true
		}
	}
	return false
}

// waitedFor reports whether an outbox waits for one of the outlets.
func (o *outlets) waitedFor() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.all {
		if s.full.Load() > 0 {
			return true
		}
	}
	return false
}
