package gcm

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// each runs a test for every implementation of this processor.
func each(t *testing.T, f func(t *testing.T, m maker)) {
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) { f(t, m) })
	}
}

func mustMake(t testing.TB, m maker, key []byte) Cipher {
	t.Helper()
	c, err := m.make(key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// random returns n bytes that depend on the seed alone.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), seed))).Read(b)
	return b
}
