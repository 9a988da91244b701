package pmtud

import (
	"math"
	"time"
)

// A cubic is a TCP connection inside the tunnel that always has data to send, with
// CUBIC (RFC 9438), SACK and tail loss probes. It counts packets of the PLPMTU.
type cubic struct {
	m        *model
	overhead int // of the PLPMTU that is no payload
	from, to uint32
	flight   []segment // in order of sending
	inFlight int
	// window and state of CUBIC, in packets
	window, threshold, most, reno float64
	epoch, recovery, progress     time.Time
	timeouts                      int
	timer                         int
	ended                         bool    // nothing more to send
	delivered                     float64 // bytes of payload
}

type segment struct {
	at        time.Time
	lost, out bool // out: no longer in flight
	payload   int
}

const (
	cubicC    = 0.4
	cubicBeta = 0.7
)

// transfer starts a connection now.
func (m *model) transfer() *cubic {
	c := &cubic{m: m, overhead: 104, window: 10, threshold: math.Inf(1), progress: m.now}
	m.after(0, c.pump)
	return c
}

// pump sends what the window allows.
func (c *cubic) pump() {
	for !c.ended && float64(c.inFlight) < c.window {
		c.send()
	}
	c.arm()
}

func (c *cubic) send() {
	size := c.m.d.PLPMTU()
	at, ok, _, wake := c.m.send(size, true)
	n := c.to
	c.to++
	c.inFlight++
	c.flight = append(c.flight, segment{at: c.m.now, lost: !ok, payload: size - c.overhead})
	if ok {
		c.m.after(at.Sub(c.m.now)+c.m.delay, func() { c.ack(n) })
	}
	if wake {
		c.m.poll()
	}
}

// ack takes in that segment n has arrived.
func (c *cubic) ack(n uint32) {
	now := c.m.now
	if n < c.from {
		return
	}
	s := &c.flight[n-c.from]
	c.delivered += float64(s.payload)
	c.progress, c.timeouts = now, 0
	if !s.out {
		s.out = true
		c.inFlight--
		c.grow(now)
	}
	for i := range c.flight { // what three later ones have overtaken is lost
		old := &c.flight[i]
		if uint32(i)+c.from+3 > n {
			break
		}
		if old.lost && !old.out {
			old.out = true
			c.inFlight--
			if old.at.After(c.recovery) {
				c.shrink(now)
			}
		}
	}
	for len(c.flight) > 0 && c.flight[0].out {
		c.flight = c.flight[1:]
		c.from++
	}
	c.pump()
}

func (c *cubic) grow(now time.Time) {
	if c.window < c.threshold {
		c.window++
		return
	}
	if c.epoch.IsZero() {
		c.epoch, c.most, c.reno = now, c.window, c.window
	}
	k := math.Cbrt(c.most * (1 - cubicBeta) / cubicC)
	t := now.Sub(c.epoch).Seconds() + c.m.rtt().Seconds() - k
	target := min(cubicC*t*t*t+c.most, 1.5*c.window)
	c.reno += 3 * (1 - cubicBeta) / (1 + cubicBeta) / c.window
	if target > c.window {
		c.window += (target - c.window) / c.window
	}
	c.window = max(c.window, c.reno)
}

func (c *cubic) shrink(now time.Time) {
	c.recovery, c.epoch = now, now
	if c.window < c.most {
		c.most = c.window * (1 + cubicBeta) / 2
	} else {
		c.most = c.window
	}
	c.window = max(2, c.window*cubicBeta)
	c.threshold, c.reno = c.window, c.window
}

// arm sets the timer: first a tail loss probe, then timeouts that double.
func (c *cubic) arm() {
	c.timer++
	timer := c.timer
	wait := 2*c.m.rtt() + 20*time.Millisecond
	if c.timeouts > 0 {
		wait = max(200*time.Millisecond, 2*c.m.rtt()) << min(c.timeouts-1, 8)
	}
	c.m.after(wait, func() {
		if timer != c.timer || c.ended {
			return
		}
		c.timeouts++
		if c.timeouts > 1 {
			for i := range c.flight {
				if s := &c.flight[i]; !s.out {
					s.out = true
					c.inFlight--
				}
			}
			c.shrink(c.m.now)
			c.window = 1
		}
		c.send()
		c.arm()
	})
}
