//go:build linux

package main

import (
	"strings"
	"testing"
)

// TestRatiosToEachRival: one for each that is there, in the order that the header names.
func TestRatiosToEachRival(t *testing.T) {
	cable := &scenes[0]
	for _, c := range []struct {
		nebula string
		want   map[string]string
	}{
		{"v1", map[string]string{aes.name: "8.00 (4.00×, 2.00×)", reference: "2.00 (–, 0.50×)", nebulaName: "4.00 (2.00×, –)"}},
		{"", map[string]string{aes.name: "8.00 (4.00×)", reference: "2.00"}},
	} {
		r := newResults(circumstances{Rounds: 1})
		r.Nebula = c.nebula
		r.add(0, cable, oneStream, aes.name, []float64{8, 1, 1})
		r.add(0, cable, oneStream, reference, []float64{2, 1, 1})
		if c.nebula != "" {
			r.add(0, cable, oneStream, nebulaName, []float64{4, 1, 1})
		}
		for contender, want := range c.want {
			cells, ok := r.row(cable, oneStream, contender)
			if first, _, _ := strings.Cut(strings.TrimSpace(cells), " |"); !ok || first != want {
				t.Errorf("nebula %q: %s has %q, want %q", c.nebula, contender, first, want)
			}
		}
	}
}

// TestHeaderNamesWhatRan: the rivals, the implementation of the cipher, and the MTU inside
// of each scene.
func TestHeaderNamesWhatRan(t *testing.T) {
	jumbo := sceneOf(t, "jumbo")
	r := newResults(circumstances{Rounds: 1, Nebula: "v1.2.3", Machine: machine("v1.2.3")})
	for _, s := range []*scene{&scenes[0], jumbo} {
		r.add(0, s, oneStream, aes.name, []float64{8, 1, 1})
	}
	r.started(&scenes[0], aes.name, &variant{innerMTU: 1438, cipher: "vaes-512"})
	r.started(&scenes[0], nebulaName, &variant{innerMTU: 1440})
	r.started(&scenes[0], reference, &variant{innerMTU: 1440})
	r.started(jumbo, aes.name, &variant{innerMTU: 8938, cipher: "vaes-512"})
	text, _ := r.markdown()
	for _, want := range []string{
		"AES-GCM in Fathom is `vaes-512`", "nebula v1.2.3", cpuModel(), "the ratio to wireguard-go and that to nebula",
		"MTU inside: 1438 (fathom, aes-256-gcm), 1440 (wireguard-go; nebula).", "MTU inside: 8938 (fathom, aes-256-gcm).",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func sceneOf(t *testing.T, name string) *scene {
	t.Helper()
	for i := range scenes {
		if scenes[i].name == name {
			return &scenes[i]
		}
	}
	t.Fatalf("no scene %q", name)
	return nil
}
