package esp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func newPair(t testing.TB, suite Suite) (*Outbound, *Inbound) {
	t.Helper()
	keymat := make([]byte, KeyMaterialSize)
	for i := range keymat {
		keymat[i] = byte(i)
	}
	out, err := NewOutbound(0x1234, suite, keymat)
	if err != nil {
		t.Fatal(err)
	}
	in, err := NewInbound(0x1234, suite, keymat)
	if err != nil {
		t.Fatal(err)
	}
	return out, in
}

func TestWhatIsSealedIsOpened(t *testing.T) {
	for _, suite := range Suites() {
		t.Run(suite.String(), func(t *testing.T) {
			out, in := newPair(t, suite)
			var s Scratch
			for size := range 300 {
				payload := bytes.Repeat([]byte{byte(size)}, size)
				before := []byte("before")
				packet, seq, err := out.Seal(&s, slices.Clone(before), payload, NextHeaderIPv6)
				if err != nil || !bytes.HasPrefix(packet, before) {
					t.Fatal(err)
				}
				packet = packet[len(before):]
				if len(packet) != PacketSize(size) || len(packet)%4 != 0 || seq != uint32(size+1) {
					t.Fatalf("%d bytes: packet of %d, want %d; number %d", size, len(packet), PacketSize(size), seq)
				}
				if iv := binary.BigEndian.Uint64(packet[8:]); iv != uint64(seq) {
					t.Fatalf("IV %d of packet %d", iv, seq)
				}
				got, nextHeader, number, err := in.Open(&s, packet[HeaderSize:HeaderSize], packet)
				if err != nil || !bytes.Equal(got, payload) || nextHeader != NextHeaderIPv6 || number != seq {
					t.Fatalf("%d bytes: %x, %d, %d, %v", size, got, nextHeader, number, err)
				}
			}
		})
	}
}

func TestAPayloadAtItsPlaceIsNotMoved(t *testing.T) {
	out, in := newPair(t, AES256GCM)
	var s Scratch
	for _, size := range []int{1, 100, 1400} {
		buffer := make([]byte, PacketSize(size))
		payload := buffer[HeaderSize : HeaderSize+size]
		for i := range payload {
			payload[i] = byte(i)
		}
		want := bytes.Clone(payload)
		packet, _, err := out.Seal(&s, buffer[:0], payload, NextHeaderIPv4)
		if err != nil || &packet[0] != &buffer[0] {
			t.Fatalf("moved: %v", err)
		}
		got, _, _, err := in.Open(&s, nil, packet)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestSealSize(t *testing.T) {
	out, in := newPair(t, ChaCha20Poly1305)
	var s Scratch
	payload := []byte("a control message")
	for size := PacketSize(len(payload)); size <= 9000; size += 4 {
		packet, _, err := out.SealSize(&s, nil, payload, NextHeaderDummy, size)
		if err != nil || len(packet) != size {
			t.Fatalf("%d bytes instead of %d: %v", len(packet), size, err)
		}
		got, _, _, err := in.Open(&s, nil, packet)
		if err != nil || !bytes.HasPrefix(got, payload) || len(bytes.Trim(got[len(payload):], "\x00")) > 0 {
			t.Fatalf("size %d: %x, %v", size, got, err)
		}
	}
	for _, size := range []int{0, PacketSize(len(payload)) - 4, 1001, 1002, 1003} {
		if _, _, err := out.SealSize(&s, nil, payload, NextHeaderDummy, size); !errors.Is(err, ErrSize) {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestMalformedTrailers(t *testing.T) {
	out, in := newPair(t, AES256GCM)
	seq := uint32(0)
	for name, plain := range map[string][]byte{
		"a pad length beyond the packet":   {1, 2, 3, 200, 4},
		"padding that does not count":      {9, 9, 2, 1, 2, 4},
		"padding of zeros":                 {9, 9, 0, 0, 2, 4},
		"nothing but half a trailer":       {4},
		"a pad length one beyond the data": {1, 2, 3, 4},
	} {
		t.Run(name, func(t *testing.T) {
			seq++
			packet := binary.BigEndian.AppendUint32(nil, 0x1234)
			packet = binary.BigEndian.AppendUint32(packet, seq)
			packet = binary.BigEndian.AppendUint64(packet, uint64(seq))
			nonce := append(slices.Clone(out.salt[:]), packet[8:16]...)
			packet = append(packet, out.aead.Seal(nil, nonce, plain, packet[:8])...)
			var s Scratch
			_, _, _, err := in.Open(&s, nil, packet)
			if !errors.Is(err, ErrPadding) && !errors.Is(err, ErrShort) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNumbersRunOut(t *testing.T) {
	out, _ := newPair(t, AES256GCM)
	out.next.Store(maxSequence - 1)
	var s Scratch
	if _, seq, err := out.Seal(&s, nil, []byte("x"), 4); err != nil || uint64(seq) != maxSequence {
		t.Fatalf("number %d, %v", seq, err)
	}
	for range 3 {
		dst := []byte("unchanged")
		if got, _, err := out.Seal(&s, dst, []byte("x"), 4); !errors.Is(err, ErrExhausted) || !bytes.Equal(got, dst) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if uint64(out.Packets()) != maxSequence {
		t.Errorf("%d packets", out.Packets())
	}
}

func TestNoNumberIsUsedTwice(t *testing.T) {
	const writers, each = 4, 2000
	out, _ := newPair(t, AES256GCM)
	numbers := make([][]uint32, writers)
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			var s Scratch
			buffer := make([]byte, 0, 200)
			for range each {
				_, seq, err := out.Seal(&s, buffer, []byte("payload"), 4)
				if err != nil {
					t.Error(err)
					return
				}
				numbers[w] = append(numbers[w], seq)
			}
		})
	}
	wait.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(numbers...)))
	for i, n := range all {
		if n != uint32(i+1) {
			t.Fatalf("number %d at place %d", n, i+1)
		}
	}
}

func TestBadKeyMaterial(t *testing.T) {
	for _, n := range []int{0, KeyMaterialSize - 1, KeyMaterialSize + 1} {
		if _, err := NewOutbound(1, AES256GCM, make([]byte, n)); err == nil {
			t.Errorf("%d bytes are accepted", n)
		}
	}
	if _, err := NewInbound(1, Suite(99), make([]byte, KeyMaterialSize)); err == nil {
		t.Error("an unknown suite is accepted")
	}
	for _, suite := range Suites() {
		if got, err := ParseSuite(suite.String()); err != nil || got != suite {
			t.Errorf("%v: %v, %v", suite, got, err)
		}
	}
}

func TestSealingAndOpeningDoNotAllocate(t *testing.T) {
	for _, suite := range Suites() {
		out, in := newPair(t, suite)
		s := new(Scratch)
		payload := make([]byte, 1400)
		buffer := make([]byte, 0, 2000)
		if n := testing.AllocsPerRun(100, func() {
			packet, _, err := out.Seal(s, buffer, payload, 4)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := in.Open(s, packet[HeaderSize:HeaderSize], packet); err != nil {
				t.Fatal(err)
			}
			if _, _, err := out.SealSize(s, buffer, payload[:20], NextHeaderDummy, 1000); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%v: %v allocations", suite, n)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, suite := range Suites() {
		for _, size := range []int{64, 1400} {
			b.Run(suite.String()+"/"+map[bool]string{true: "small", false: "large"}[size < 100], func(b *testing.B) {
				out, _ := newPair(b, suite)
				s := new(Scratch)
				payload, buffer := make([]byte, size), make([]byte, 0, 2000)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := out.Seal(s, buffer, payload, 4); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, suite := range Suites() {
		b.Run(suite.String(), func(b *testing.B) {
			out, in := newPair(b, suite)
			s := new(Scratch)
			sealed, _, err := out.Seal(s, nil, make([]byte, 1400), 4)
			if err != nil {
				b.Fatal(err)
			}
			packet := make([]byte, len(sealed))
			b.SetBytes(1400)
			b.ReportAllocs()
			for b.Loop() {
				copy(packet, sealed)
				in.window = Window{}
				if _, _, _, err := in.Open(s, packet[HeaderSize:HeaderSize], packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	out, _ := newPair(f, AES256GCM)
	var s Scratch
	packet, _, _ := out.Seal(&s, nil, []byte("payload"), 4)
	f.Add(packet)
	f.Add(packet[:HeaderSize+ICVSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		_, in := newPair(t, AES256GCM)
		var s Scratch
		_, _, _, err := in.Open(&s, nil, b)
		if err == nil && !bytes.Equal(b, packet) {
			t.Errorf("a forged packet is accepted: %x", b)
		}
		Classify(b)
		_, _ = SPIOf(b)
	})
}

// FuzzTrailer opens authentic packets with arbitrary bytes inside.
func FuzzTrailer(f *testing.F) {
	f.Add([]byte{1, 2, 3, 1, 2, 2, 4})
	f.Add([]byte{255, 4})
	f.Fuzz(func(t *testing.T, plain []byte) {
		out, in := newPair(t, AES256GCM)
		packet := binary.BigEndian.AppendUint32(nil, 0x1234)
		packet = binary.BigEndian.AppendUint32(packet, 1)
		packet = binary.BigEndian.AppendUint64(packet, 1)
		nonce := append(slices.Clone(out.salt[:]), packet[8:16]...)
		packet = append(packet, out.aead.Seal(nil, nonce, plain, packet[:8])...)
		var s Scratch
		payload, nextHeader, _, err := in.Open(&s, nil, packet)
		if err != nil {
			return
		}
		if len(payload)+2 > len(plain) || !bytes.HasPrefix(plain, payload) || nextHeader != plain[len(plain)-1] {
			t.Errorf("%x gives %x, %d", plain, payload, nextHeader)
		}
	})
}

// model is the obvious anti-replay window.
type model struct {
	seen    map[uint32]bool
	highest uint32
}

func (m *model) check(seq uint32) error {
	switch {
	case seq == 0 || m.highest >= WindowSize && seq <= m.highest-WindowSize:
		return ErrTooOld
	case m.seen[seq]:
		return ErrReplay
	}
	return nil
}

func TestWindowIsTheObviousOne(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		var w Window
		m := model{seen: make(map[uint32]bool)}
		base := uint32(1)
		if seed%2 == 1 {
			base = 1<<32 - 300_000
		}
		for step := range 20_000 {
			var seq uint32
			switch random.IntN(10) {
			case 0: // a jump
				seq = max(m.highest, base) + uint32(random.IntN(3*WindowSize))
			case 1: // around the far edge
				seq = m.highest - WindowSize + uint32(random.IntN(5)) - 2
			default:
				seq = max(m.highest, base) + uint32(random.IntN(60)) - uint32(random.IntN(50))
			}
			if seq < base/2 && base > 1 {
				continue // wrapped: an SA never does
			}
			got, want := w.Check(seq), m.check(seq)
			if !errors.Is(got, want) {
				t.Fatalf("seed %d, step %d: number %d, highest %d: %v, want %v", seed, step, seq, m.highest, got, want)
			}
			if got == nil {
				w.Accept(seq)
				m.seen[seq] = true
				m.highest = max(m.highest, seq)
			}
			if step%1000 == 0 {
				checkReport(t, &w, &m)
			}
		}
		checkReport(t, &w, &m)
	}
}

func checkReport(t *testing.T, w *Window, m *model) {
	t.Helper()
	var bits [WindowSize/64 + 2]uint64
	if highest := w.Report(bits[:]); highest != m.highest || highest != w.Highest() {
		t.Fatalf("highest %d, want %d", highest, m.highest)
	}
	for i := range len(bits) * 64 {
		seq := int64(m.highest) - int64(i)
		want := i < WindowSize && seq > 0 && m.seen[uint32(seq)]
		if got := bits[i/64]>>(i%64)&1 == 1; got != want {
			t.Fatalf("report of number %d (highest %d): %v, want %v", seq, m.highest, got, want)
		}
	}
}

func TestSizesAreThoseOfRealPackets(t *testing.T) {
	out, _ := newPair(t, AES256GCM)
	var s Scratch
	for name, v6 := range map[string]bool{"IPv4": false, "IPv6": true} {
		headers := map[bool]int{false: 20 + 8, true: 40 + 8}[v6]
		if OuterOverhead(v6) != headers {
			t.Errorf("%s: overhead %d, want %d", name, OuterOverhead(v6), headers)
		}
		for plpmtu := range 9217 {
			mtu := InnerMTU(v6, plpmtu)
			if mtu == 0 {
				if headers+PacketSize(1) <= plpmtu {
					t.Fatalf("%s: nothing fits %d", name, plpmtu)
				}
				continue
			}
			if headers+PacketSize(mtu) > plpmtu || headers+PacketSize(mtu+1) <= plpmtu {
				t.Fatalf("%s: %d bytes are not the most that fit %d", name, mtu, plpmtu)
			}
			if exact := ExactOuterSize(v6, plpmtu); exact != headers+PacketSize(mtu) || plpmtu-exact >= 4 {
				t.Fatalf("%s: exact size of %d is %d", name, plpmtu, exact)
			}
			if plpmtu%97 == 0 {
				packet, _, err := out.Seal(&s, nil, make([]byte, mtu), 4)
				if err != nil || len(packet) != PacketSize(mtu) {
					t.Fatalf("%s: a packet of %d, want %d", name, len(packet), PacketSize(mtu))
				}
			}
		}
	}
}

func TestClassify(t *testing.T) {
	out, _ := newPair(t, AES256GCM)
	var s Scratch
	packet, _, _ := out.Seal(&s, nil, []byte("x"), 4)
	for name, test := range map[string]struct {
		b    []byte
		want Kind
	}{
		"nothing":             {nil, KindInvalid},
		"a keepalive":         {AppendKeepalive(nil), KindKeepalive},
		"another single byte": {[]byte{0xfe}, KindInvalid},
		"a handshake message": {append(AppendMarker(nil), 1, 2, 3), KindHandshake},
		"ESP":                 {packet, KindESP},
		"too short for ESP":   {packet[:10], KindInvalid},
	} {
		if got := Classify(test.b); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
