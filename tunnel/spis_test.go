package tunnel

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"fathom/esp"
)

func pairUnder(spi uint32) *saPair { return &saPair{inbound: &inboundSA{spi: spi}} }

// TestSPITable against a map, with few slots in use, so that they are shared.
func TestSPITable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	table, model := new(spiTable), make(map[uint32]*inboundSA)
	old := pairUnder(1)
	for range 20000 {
		spi := random.Uint32N(8) + spiSlots*random.Uint32N(8)
		switch random.IntN(3) {
		case 0:
			old = pairUnder(spi)
			table.add(old.inbound)
			model[spi] = old.inbound
		case 1:
			table.remove([]*saPair{pairUnder(spi)}) // another with this SPI
		case 2:
			table.remove([]*saPair{old, old})
			if model[old.inbound.spi] == old.inbound {
				delete(model, old.inbound.spi)
			}
		}
		if got := table.get(spi); got != model[spi] {
			t.Fatalf("SPI %d finds %p, want %p", spi, got, model[spi])
		}
	}
	for slot := range uint32(8) {
		for n := range uint32(8) {
			if spi := slot + spiSlots*n; table.get(spi) != model[spi] {
				t.Errorf("SPI %d finds %p, want %p", spi, table.get(spi), model[spi])
			}
		}
	}
}

func TestAnUnusedSPIIsNotReserved(t *testing.T) {
	table := new(spiTable)
	for range 1000 {
		if spi := table.unused(); spi < esp.MinSPI {
			t.Fatalf("SPI %d", spi)
		}
	}
}

// TestAHandshakeCopiesNoTable: what one more SA costs does not grow with their
// number.
func TestAHandshakeCopiesNoTable(t *testing.T) {
	cost := func(others int) uint64 {
		table := new(spiTable)
		for range others {
			table.add(pairUnder(table.unused()).inbound)
		}
		const rounds = 1000
		pairs := make([]*saPair, rounds)
		for i := range pairs {
			pairs[i] = pairUnder(table.unused())
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, p := range pairs {
			table.add(p.inbound)
			table.remove([]*saPair{p})
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / rounds
	}
	few, many := cost(2), cost(6000)
	t.Logf("bytes allocated a handshake: %d with 2 SAs, %d with 6000", few, many)
	if many > 4*few {
		t.Errorf("%d bytes, with 2 SAs %d", many, few)
	}
}

func BenchmarkSPITableGet(b *testing.B) {
	table := new(spiTable)
	var spis [1024]uint32
	for i := range spis {
		spis[i] = table.unused()
		table.add(pairUnder(spis[i]).inbound)
	}
	for i := 0; b.Loop(); i++ {
		if table.get(spis[i%len(spis)]) == nil {
			b.Fatal("lost")
		}
	}
}
