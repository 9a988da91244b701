package pmtud

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.trace anew")

var told = flag.Bool("told", false, "log what discovery does on paths that carry a size only sometimes")

// TestTraces keeps some runs whole, one line a fan or change, so that a change of
// behaviour is a readable difference.
func TestTraces(t *testing.T) {
	for _, tc := range []struct {
		name        string
		mtu, egress int
		then        func(m *model)
	}{
		{"ethernet", 1500, 1500, nil},
		{"clipped", 1420, 1500, nil},
		{"jumbo", 9000, 9000, nil},
		{"below-base", 1006, 1500, nil},
		{"black-hole", 1500, 1500, func(m *model) {
			m.data, m.nextData = time.Millisecond, m.now
			m.run(100*time.Millisecond, nil)
			m.mtu = 1400
			m.run(time.Second, nil)
			m.data = 0
			m.mtu = 1500
			m.run(10*time.Second, nil)
		}},
		{"ptb", 1500, 1500, func(m *model) {
			m.data, m.nextData = time.Millisecond, m.now
			m.run(100*time.Millisecond, nil)
			m.mtu, m.ptb, m.ptbDelay = 1400, true, time.Microsecond
			m.run(time.Second, nil)
		}},
		{"outage", 1500, 1500, func(m *model) {
			m.data, m.nextData = time.Millisecond, m.now
			m.run(100*time.Millisecond, nil)
			m.down = true
			m.run(2*leastOutage, nil)
			m.down = false
			m.run(2*time.Second, nil)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got strings.Builder
			m := newPath(tc.mtu)
			m.trace = func(format string, args ...any) { fmt.Fprintf(&got, format+"\n", args...) }
			m.begin(tc.egress)
			m.run(time.Second, nil)
			if tc.then != nil {
				tc.then(m)
			}
			file := filepath.Join("testdata", tc.name+".trace")
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("the run differs (-want +got); -update accepts it:\n%s", diff)
			}
		})
	}
}
