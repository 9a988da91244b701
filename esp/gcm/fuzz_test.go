package gcm

import (
	"bytes"
	"slices"
	"testing"
)

// maxFuzzed is the longest text, a little above that of a jumbo frame.
const maxFuzzed = 9000

// FuzzAgainstStandard seals and opens one packet by each implementation, and compares
// with the standard library, byte by byte, what lies around the buffers included.
func FuzzAgainstStandard(f *testing.F) {
	for _, n := range []uint16{0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 1408, 1440, 9000} {
		f.Add(uint64(n), n, uint8(8), uint8(n), uint8(n>>3), n, true)
		f.Add(uint64(n), n, uint8(n), uint8(0), uint8(1), n+3, false)
	}
	f.Fuzz(func(t *testing.T, seed uint64, length uint16, additional, srcAt, dstAt uint8, flip uint16, inPlace bool) {
		compare(t, seed, int(length)%(maxFuzzed+1), int(additional), int(srcAt)%64, int(dstAt)%64, int(flip), inPlace)
	})
}

// FuzzBatch seals and opens batches of mixed sizes.
func FuzzBatch(f *testing.F) {
	f.Add(uint64(1), []byte{0, 0})
	f.Add(uint64(2), []byte{5, 128, 5, 128, 5, 128, 0, 64, 35, 40, 0, 0, 2, 0, 2, 1, 1, 255, 0, 1})
	f.Fuzz(func(t *testing.T, seed uint64, sizes []byte) {
		var lengths []int
		for pair := range slices.Chunk(sizes, 2) {
			if len(pair) == 2 && len(lengths) < 3*16 {
				lengths = append(lengths, (int(pair[0])<<8|int(pair[1]))%(maxFuzzed+1))
			}
		}
		compareBatch(t, seed, lengths)
	})
}

// TestEveryLength compares every length from 0 to that of a jumbo frame.
func TestEveryLength(t *testing.T) {
	for n := range maxFuzzed + 1 {
		step := 1
		if testing.Short() && n > 1600 {
			step = 61
		}
		if n%step == 0 {
			compare(t, uint64(n), n, n%41, n%64, n*7%64, n, n%2 == 0)
		}
	}
}

// TestBatches compares batches of mixed sizes.
func TestBatches(t *testing.T) {
	for seed := range uint64(60) {
		var lengths []int
		for i, b := range random(seed, int(seed)) {
			lengths = append(lengths, (int(b)*37+i*i*11)%2000)
		}
		compareBatch(t, seed, lengths)
	}
}

const fence = 80 // bytes around a buffer that must stay as they are

// buffer returns a slice of n bytes with room, at a place of its own relative to a
// cache line, in the middle of more.
func buffer(seed uint64, at, n, room int) (all, part []byte) {
	all = random(seed, fence+at+n+room+fence)
	return all, all[fence+at : fence+at+n : fence+at+n+room]
}

func compare(t *testing.T, seed uint64, length, additionalLength, srcAt, dstAt, flip int, inPlace bool) {
	t.Helper()
	key, nonce, header := random(seed, KeySize), random(seed+1, NonceSize), random(seed+2, additionalLength)
	reference := mustMake(t, maker{Standard, newStandard}, key)
	_, plain := buffer(seed+3, srcAt, length, TagSize)
	want := reference.Seal(nil, nonce, plain, header)
	for _, m := range makers {
		c := mustMake(t, m, key)
		srcAll, src := buffer(seed+3, srcAt, length, TagSize)
		dstAll, dst := srcAll, src[:0]
		start := fence + srcAt
		if !inPlace {
			dstAll, dst = buffer(seed+4, dstAt, 0, length+TagSize)
			start = fence + dstAt
		}
		around := slices.Clone(dstAll)
		if got := c.Seal(dst, nonce, src, header); !bytes.Equal(got, want) {
			t.Fatalf("%s: %d bytes, %d of additional data: sealed otherwise, from byte %d", m.name, length, additionalLength, difference(got, want))
		}
		copy(around[start:], want)
		if !bytes.Equal(dstAll, around) {
			t.Fatalf("%s: %d bytes: writes outside of the output, at %d of it", m.name, length, difference(dstAll, around)-start)
		}
		if !inPlace && !bytes.Equal(src, plain) {
			t.Fatalf("%s: changes its input", m.name)
		}

		compareOpening(t, m.name, c, nonce, want, plain, header, srcAt, dstAt, inPlace)
		forged := slices.Clone(want)
		forged[flip%len(forged)] ^= 1 << (flip % 8)
		if !bytes.Equal(forged, want) {
			compareOpening(t, m.name, c, nonce, forged, nil, header, srcAt, dstAt, inPlace)
		}
	}
}

// compareOpening opens sealed, which is forged if plain is nil.
func compareOpening(t *testing.T, name string, c Cipher, nonce, sealed, plain, header []byte, srcAt, dstAt int, inPlace bool) {
	t.Helper()
	length := len(sealed) - TagSize
	srcAll, src := buffer(5, srcAt, len(sealed), 0)
	copy(src, sealed)
	dstAll, dst, start := srcAll, src[:0], fence+srcAt
	if !inPlace {
		dstAll, dst = buffer(6, dstAt, 0, length)
		start = fence + dstAt
	}
	around := slices.Clone(dstAll)
	opened, err := c.Open(dst, nonce, src, header)
	if plain == nil {
		if err == nil || opened != nil {
			t.Fatalf("%s: %d bytes: a forged packet opens", name, length)
		}
		plain = make([]byte, length)
	} else if err != nil || !bytes.Equal(opened, plain) {
		t.Fatalf("%s: %d bytes: opened otherwise, from byte %d (%v)", name, length, difference(opened, plain), err)
	}
	copy(around[start:], plain)
	if !bytes.Equal(dstAll, around) {
		t.Fatalf("%s: %d bytes: wrong memory after opening, at %d of the output", name, length, difference(dstAll, around)-start)
	}
}

// difference returns where two slices differ first.
func difference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// compareBatch seals packets of these lengths of text in one call, and opens them with
// every third one forged.
func compareBatch(t *testing.T, seed uint64, lengths []int) {
	t.Helper()
	key, salt := random(seed, KeySize), [SaltSize]byte(random(seed+1, SaltSize))
	reference := mustMake(t, maker{Standard, newStandard}, key)
	var plain, want [][]byte
	for i, n := range lengths {
		p := random(seed+uint64(i), HeaderSize+n+TagSize)
		plain = append(plain, p)
		nonce := append(salt[:], p[additionalSize:HeaderSize]...)
		want = append(want, reference.Seal(slices.Clone(p[:HeaderSize]), nonce, p[HeaderSize:HeaderSize+n], p[:additionalSize]))
	}
	for _, m := range makers {
		c := mustMake(t, m, key)
		var packets, memory [][]byte
		for i, p := range plain {
			all, part := buffer(seed, i*5%64, len(p), 0)
			copy(part, p)
			memory, packets = append(memory, all), append(packets, part)
		}
		c.SealBatch(salt, packets)
		for i := range packets {
			if !bytes.Equal(packets[i], want[i]) {
				t.Fatalf("%s: packet %d of %v: sealed otherwise, from byte %d", m.name, i, lengths, difference(packets[i], want[i]))
			}
			if i%3 == 2 {
				packets[i][(additionalSize+i*7)%len(packets[i])] ^= 1 << (i % 8)
			}
		}
		authentic := make([]bool, len(packets))
		c.OpenBatch(salt, packets, authentic)
		for i, p := range packets {
			text := plain[i][HeaderSize : len(p)-TagSize]
			if i%3 == 2 {
				text = make([]byte, len(text))
			}
			if authentic[i] == (i%3 == 2) || !bytes.Equal(p[HeaderSize:len(p)-TagSize], text) {
				t.Fatalf("%s: packet %d of %v: authentic is %v, the text differs from byte %d", m.name, i, lengths, authentic[i], difference(p[HeaderSize:], text))
			}
			fenced := random(seed, len(memory[i]))
			start := fence + i*5%64
			copy(fenced[start:], p)
			if !bytes.Equal(memory[i], fenced) {
				t.Fatalf("%s: packet %d of %v: memory around it has changed", m.name, i, lengths)
			}
		}
	}
}
