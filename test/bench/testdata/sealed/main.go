// Command sealed seals a text for each cipher of ESP, opens it again, and prints for each
// whether the packet shows the text.
package main

import (
	"bytes"
	"fmt"
	"os"

	"fathom/esp"
)

func main() {
	for _, suite := range esp.Suites() {
		if err := show(suite); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func show(suite esp.Suite) error {
	const spi, nextHeader = 4096, 4
	keys := make([]byte, esp.KeyMaterialSize)
	out, err := esp.NewOutbound(spi, suite, keys)
	if err != nil {
		return err
	}
	in, err := esp.NewInbound(spi, suite, keys)
	if err != nil {
		return err
	}
	text := bytes.Repeat([]byte("plain text "), 100)
	var scratch esp.Scratch
	packet, _, err := out.Seal(&scratch, nil, text, nextHeader)
	if err != nil {
		return err
	}
	seen := "hidden"
	if bytes.Contains(packet, text) {
		seen = "clear"
	}
	opened, _, _, err := in.Open(&scratch, nil, packet)
	if err != nil || !bytes.Equal(opened, text) {
		return fmt.Errorf("%v: the packet opens to %q: %w", suite, opened, err)
	}
	fmt.Printf("%v: %s\n", suite, seen)
	return nil
}
