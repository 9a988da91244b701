//go:build linux

package netlab_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

func TestACaptureIsWhatIsOnTheWire(t *testing.T) {
	lab := labtest.New(t, netlab.Namespaces, netlab.Packets)
	routed := lab.Routed()
	echo(t, routed.B)
	capture := routed.Left.A.Capture()
	conn := dialUDP(t, routed.A, routed.Right.B.Addr4())
	const length = 1234
	if !ask(t, conn, length, soon) {
		t.Fatal("no answer")
	}
	for _, sent := range []bool{true, false} {
		want := ipv4UDP + 8
		if sent {
			want = length
		}
		p, ok := capture.Await(soon, func(p netlab.Packet) bool {
			return p.Sent == sent && p.Data[0]>>4 == 4 && len(p.Data) == want
		})
		if !ok {
			t.Fatalf("no packet of %d bytes, sent %v", want, sent)
		}
		if age := time.Since(p.Time); age < 0 || age > time.Minute {
			t.Errorf("its time is %v ago", age)
		}
		// Offload is off, so the checksum is finished: RFC 768.
		udp := p.Data[20:]
		pseudo := append(bytes.Clone(p.Data[12:20]), 0, 17)
		pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(len(udp)))
		if sum := checksum(append(pseudo, udp...)); sum != 0xffff {
			t.Errorf("UDP checksum is off: the sum is %#x", sum)
		}
	}
	if _, ok := capture.Await(10*time.Millisecond, func(netlab.Packet) bool { return false }); ok {
		t.Error("found what matches nothing")
	}
	capture.Stop()
	if n := capture.Missed(); n != 0 {
		t.Errorf("%d packets missed", n)
	}

	file := filepath.Join(t.TempDir(), "capture.pcap")
	if err := capture.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	compareWithTshark(t, file, capture.Packets())
}

// compareWithTshark checks the written file with a foreign reader.
func compareWithTshark(t *testing.T, file string, packets []netlab.Packet) {
	t.Helper()
	c := exec.Command("tshark", "-r", file, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.protocols")
	// Its own settings decide how it prints, and it crashes over a home it may
	// not enter.
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=")
	out, err := c.Output()
	if errors.Is(err, exec.ErrNotFound) {
		labtest.Missing(t, fmt.Errorf("%w: run `sudo apt-get install tshark`", err))
	}
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	for _, p := range packets {
		fmt.Fprintf(&want, "%d.%09d\t%d\n", p.Time.Unix(), p.Time.Nanosecond(), len(p.Data))
	}
	var got bytes.Buffer
	for line := range bytes.Lines(out) {
		fields := bytes.Split(bytes.TrimSpace(line), []byte("\t"))
		if len(fields) != 3 || !bytes.HasPrefix(fields[2], []byte("raw:ip")) {
			t.Fatalf("tshark reads %q", line)
		}
		got.Write(bytes.Join(fields[:2], []byte("\t")))
		got.WriteByte('\n')
	}
	if got.String() != want.String() {
		t.Errorf("tshark reads\n%s\nwant\n%s", &got, &want)
	}
}
