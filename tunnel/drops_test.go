package tunnel

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fathom/tunnel/status"
)

// TestEveryCounterIsDocumented compares docs/reference.md with the reasons to drop a
// packet, with what is done to packets, and with the states of a peer.
func TestEveryCounterIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	var surgery []string
	for field := range reflect.TypeFor[status.Surgery]().Fields() {
		surgery = append(surgery, field.Tag.Get("json"))
	}
	states := []string{string(status.PeerIdle), string(status.PeerConnecting), string(status.PeerEstablished), string(status.PeerUnresponsive), string(status.PeerNoRoute)}
	for heading, want := range map[string][]string{
		"Packets that went nowhere": slices.Clone(dropNames[:]), "What was done to packets": surgery, "States of a peer": states,
	} {
		_, section, _ := strings.Cut(string(text), "\n## "+heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		var got []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(section, -1) {
			got = append(got, row[1])
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: docs/reference.md has\n%q, the code\n%q", heading, got, want)
		}
	}
}
