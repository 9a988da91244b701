package gcm

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestTune(t *testing.T) {
	for _, size := range []int{64, 128, 208, 256, 1024, 1280, 1392, 1408, 1504, 1536, 2816, 9000} {
		line := fmt.Sprintf("%5d", size)
		for _, verb := range []string{"seal", "open", "batch of 16 sealed"} {
			for mi, m := range makers {
				_ = mi
				c, _ := m.make(make([]byte, 32))
				w := work(t, c, verb, size, 16)
				var ds []float64
				for range 41 {
					s := time.Now()
					w(480)
					ds = append(ds, float64(time.Since(s).Nanoseconds())/480)
				}
				slices.Sort(ds)
				line += fmt.Sprintf(" %7.0f", ds[8])
			}
			line += " |"
		}
		fmt.Println(line)
	}
}
