package gcm

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// A maker is an implementation: its name, and how it makes a cipher.
type maker struct {
	name string
	make func(key []byte) (Cipher, error)
}

// Standard names the implementation of the standard library, which every
// processor has.
const Standard = "standard"

// makers are the implementations that this processor has, the fastest first.
var makers = append(vectorMakers(), maker{Standard, newStandard})

// chosen is nil until Use is called.
var chosen atomic.Pointer[maker]

func implementation() *maker {
	if m := chosen.Load(); m != nil {
		return m
	}
	return &makers[0]
}

// Implementation names the implementation that New uses.
func Implementation() string { return implementation().name }

// Implementations names those that this processor has, the fastest first.
func Implementations() []string {
	names := make([]string, len(makers))
	for i, m := range makers {
		names[i] = m.name
	}
	return names
}

// Use chooses the implementation of all ciphers that are made after it in this
// process. The error says that this processor has none of that name.
func Use(name string) error {
	i := slices.IndexFunc(makers, func(m maker) bool { return m.name == name })
	if i < 0 {
		return fmt.Errorf("there is no implementation %q of AES-GCM for this processor", name)
	}
	chosen.Store(&makers[i])
	return nil
}
