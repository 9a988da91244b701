package tunnel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"fathom/conf"
	"fathom/tunnel/inner"
)

// handed is one packet as it was handed to the host.
type handed struct {
	packet []byte
	o      inner.Offload
}

// record is a tun.Writer that keeps everything.
type record struct{ list []handed }

func (r *record) Write(parts [][]byte, o inner.Offload) error {
	r.list = append(r.list, handed{bytes.Join(parts, nil), o})
	return nil
}

// recorded makes the receiving host of a datapath keep all packets.
func recorded(d *datapath) *record {
	r := new(record)
	d.receiver.writer = r
	return r
}

// completed returns the packet with the checksum that the host would give it,
// which must be right in the packet of its full length.
func (h handed) completed(t *testing.T) []byte {
	t.Helper()
	b := bytes.Clone(h.packet)
	if err := h.o.Complete(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// cross sends the gathered datagrams, and returns when all of them wait in the
// receiver's socket: size bytes more than before.
func (d *datapath) cross(t *testing.T, size int) {
	t.Helper()
	before := d.waiting(t)
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(hanging); d.waiting(t) < before+size; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d bytes are there", d.waiting(t)-before, size)
		}
	}
}

// waiting returns how much memory, in bytes, the kernel uses for the datagrams in
// the receiver's socket. It is more than their size.
func (d *datapath) waiting(t *testing.T) int {
	t.Helper()
	table, err := os.ReadFile("/proc/thread-self/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprintf(":%04X", d.to.Addrs()[0].Port())
	for line := range strings.Lines(string(table)) {
		// sl, local_address, rem_address, st, tx_queue:rx_queue, …
		if f := strings.Fields(line); len(f) > 4 && strings.HasSuffix(f[1], port) {
			_, queue, _ := strings.Cut(f[4], ":")
			n, err := strconv.ParseInt(queue, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	t.Fatalf("no socket has port %s:\n%s", port, table)
	return 0
}

// TestASuperpacketArrivesAsOne: one host's superpacket reaches the other as one,
// to the byte, with its checksum left to be completed.
func TestASuperpacketArrivesAsOne(t *testing.T) {
	for _, test := range []struct {
		load
		plpmtu, arrives int // segment size
	}{
		{load{payload: 60000, segment: 1386}, 1500, 1386},
		{load{payload: 60000, segment: 1366, v6: true}, 1500, 1366},
		{load{payload: 40000, segment: 1200, udp: true}, 1500, 1200},
		{load{payload: 40000, segment: 1200, udp: true, v6: true}, 1500, 1200},
		{load{payload: 2 * 1386, segment: 1386}, 1500, 1386},
		{load{payload: 60000, segment: 1386}, 1280, 1280 - 62 - 52}, // cut smaller than the host has asked for
		{load{payload: 60000, segment: 1366, v6: true}, 1280, 1280 - 62 - 72},
	} {
		t.Run(fmt.Sprintf("%v, PLPMTU %d", test.load, test.plpmtu), func(t *testing.T) {
			d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, test.plpmtu, test.plpmtu)
			host := recorded(d)
			packet, o := test.packet()
			want := handed{packet, o}.completed(t)
			pseudo := binary.BigEndian.Uint16(packet[o.ChecksumStart+o.ChecksumOffset:])
			d.transmit.packet(packet, o)
			d.cross(t, len(packet))
			if _, err := d.receiver.batch(); err != nil {
				t.Fatal(err)
			}
			if len(host.list) != 1 {
				t.Fatalf("%d packets arrive", len(host.list))
			}
			got := host.list[0]
			o.SegmentSize = uint16(test.arrives)
			if got.o != o {
				t.Errorf("it arrives as %+v, want %+v", got.o, o)
			}
			if sum := binary.BigEndian.Uint16(got.packet[o.ChecksumStart+o.ChecksumOffset:]); sum != pseudo {
				t.Errorf("checksum field %#x, want the pseudo-header's %#x", sum, pseudo)
			}
			if !bytes.Equal(got.completed(t), want) {
				t.Errorf("other bytes arrive:\n%x, want\n%x", got.packet[:80], want[:80])
			}
		})
	}
}

// TestRunsAreJoined: datagrams that were sent with several system calls, or that
// come while the receiver is at work already, reach the host at once.
func TestRunsAreJoined(t *testing.T) {
	const segment, each = 1000, 20 * 1000
	runs := func(udp bool) (list [2]load) {
		for i := range list {
			list[i] = load{udp: udp, payload: each, segment: segment, seq: uint32(i * each)}
		}
		return list
	}
	for _, udp := range []bool{false, true} {
		send := func(t *testing.T, d *datapath, l load) {
			packet, o := l.packet()
			d.transmit.packet(packet, o)
			d.cross(t, len(packet))
		}
		expect := func(t *testing.T, d *datapath, host *record) {
			t.Helper()
			if _, err := d.receiver.batch(); err != nil {
				t.Fatal(err)
			}
			if len(host.list) != 1 || len(host.list[0].packet)-int(host.list[0].o.HeaderSize) != 2*each || host.list[0].o.SegmentSize != segment {
				t.Errorf("UDP %v: the host gets %d packets", udp, len(host.list))
				for _, h := range host.list {
					t.Logf("%d bytes, %+v", len(h.packet), h.o)
				}
			}
		}
		t.Run(fmt.Sprintf("within a receive call, UDP %v", udp), func(t *testing.T) {
			d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1500, 1500)
			host := recorded(d)
			for _, l := range runs(udp) {
				send(t, d, l)
			}
			expect(t, d, host)
		})
		t.Run(fmt.Sprintf("across receive calls, UDP %v", udp), func(t *testing.T) {
			d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1500, 1500)
			host := recorded(d)
			list := runs(udp)
			calls := 0
			// The receiver tells of the first packet of the first run when it
			// has read that one alone.
			d.receiver.events = onFirstUse{call: func() {
				calls++
				send(t, d, list[1])
			}}
			send(t, d, list[0])
			expect(t, d, host)
			if calls != 1 {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

// onFirstUse lets something happen in the middle of a batch.
type onFirstUse struct {
	nothingHappens
	call func()
}

func (o onFirstUse) firstUse(*inboundSA) { o.call() }

// TestNothingWaits: when the receiver has nothing more to read, the host has all
// packets that it has read.
func TestNothingWaits(t *testing.T) {
	many := make([]load, 40) // more than are joined side by side
	for i := range many {
		many[i] = load{port: uint16(i), payload: 500, segment: 500}
	}
	mixed := []load{ // in this order
		{payload: 1000, segment: 1000},
		{port: 1, payload: 800, segment: 1000},
		{payload: 1000, segment: 1000, seq: 1000},
		{port: 2, udp: true, payload: 700, segment: 1000},
		{port: 1, payload: 800, segment: 1000, seq: 800},
		{port: 3, segment: 1000}, // an acknowledgment
		{payload: 1000, segment: 1000, seq: 2000},
	}
	for _, test := range []struct {
		name  string
		loads []load
		want  []int // payload bytes of each packet that the host gets
	}{
		{"one packet", []load{{payload: 1000, segment: 1386}}, []int{1000}},
		{"one datagram", []load{{payload: 1000, segment: 1386, udp: true}}, []int{1000}},
		{"an acknowledgment", []load{{segment: 1386}}, []int{0}},
		// Packets that cannot be joined do not wait for others.
		{"flows between each other", mixed, []int{0, 3000, 1600, 700}},
		{"many flows", many, slicesOf(500, len(many))},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDatapath(t, true, conf.Tunnel{Oversize: conf.OversizeCarry}, 1500, 1500)
			host := recorded(d)
			size := 0
			for _, l := range test.loads {
				packet, o := l.packet()
				size += len(packet)
				d.transmit.packet(packet, o)
			}
			d.cross(t, size)
			if _, err := d.receiver.batch(); err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, h := range host.list {
				p, ok := inner.Parse(h.packet)
				if !ok {
					t.Fatalf("no packet: %x", h.packet)
				}
				got = append(got, len(h.packet)-load{udp: p.Protocol == 17}.headers())
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("the host gets payloads of %v, want %v", got, test.want)
			}
		})
	}
}

// slicesOf returns n times the same.
func slicesOf(x, n int) (list []int) {
	for range n {
		list = append(list, x)
	}
	return list
}
