package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestValidMark is given back by the last tunnel, and by nobody whose it is not.
func TestValidMark(t *testing.T) {
	type hosts struct {
		config Config
		set    func(string)
		expect func(when, want string)
	}
	flush := func(t *testing.T) {
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			rules, err := netlink.RuleList(family)
			check(t, err)
			for _, r := range rules {
				if isOwn(r) {
					check(t, netlink.RuleDel(&r))
				}
			}
		}
	}
	kill := func(t *testing.T, config Config) {
		divert(t, "fathom0", config)
		check(t, netlink.LinkDel(state(t, "fathom0")))
		upDevice(t, "fathom0")
	}
	for name, run := range map[string]func(*testing.T, hosts){
		"two tunnels": func(t *testing.T, h hosts) {
			upDevice(t, "fathom1")
			a, b := divert(t, "fathom0", h.config), divert(t, "fathom1", h.config)
			h.expect("both run", "1")
			a.Close()
			h.expect("one runs", "1")
			b.Close()
			h.expect("none runs", "0")
		},
		"the administrator's": func(t *testing.T, h hosts) {
			h.set("1")
			divert(t, "fathom0", h.config).Close()
			h.expect("after the end", "1")
		},
		"changed meanwhile": func(t *testing.T, h hosts) {
			l := divert(t, "fathom0", h.config)
			h.set("2")
			l.Close()
			h.expect("after the end", "2")
		},
		"killed": func(t *testing.T, h hosts) {
			kill(t, h.config)
			l := divert(t, "fathom0", h.config)
			h.expect("it runs again", "1")
			l.Close()
			h.expect("after the end", "0")
		},
		"killed, then without a default route": func(t *testing.T, h hosts) {
			kill(t, h.config)
			config := h.config
			config.MTU = 1438
			check(t, attach(t, "fathom0", config).Divert(listening))
			h.expect("without a default route", "0")
		},
		"killed, removed by hand and the administrator's since": func(t *testing.T, h hosts) {
			kill(t, h.config)
			flush(t)
			h.set("1")
			divert(t, "fathom0", h.config).Close()
			h.expect("after the end", "1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inHost(t, func() error {
				uplink(t)
				dir := t.TempDir()
				run(t, hosts{
					config: Config{Saved: filepath.Join(dir, "src_valid_mark")},
					set:    func(value string) { check(t, os.WriteFile(validMark, []byte(value+"\n"), 0)) },
					expect: func(when, want string) {
						t.Helper()
						value, err := os.ReadFile(validMark)
						check(t, err)
						if got := strings.TrimSpace(string(value)); got != want {
							t.Errorf("%s it is %s, want %s", when, got, want)
						}
					},
				})
				if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
					t.Errorf("left: %v, %v", files, err)
				}
				return nil
			})
		})
	}
}
