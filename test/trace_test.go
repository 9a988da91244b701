//go:build linux

package test

import (
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fathom/esp"
	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/tunnel/control"
)

// traced is a packet between two gateways: what it was, who sent it, and when it left.
type traced struct {
	at     time.Time
	sender int    // 0 or 1
	kind   string // of kindNames, or one of those below
	token  uint64 // of a question or an answer
	size   int    // bytes of the outer IP packet
}

// Kinds of packets that are no element of a control message.
const (
	kindData      = "data"
	kindHandshake = "handshake"
	kindKeepalive = "keepalive"
)

var kindNames = map[control.Type]string{
	control.Echo: "echo", control.EchoReply: "echo reply", control.Close: "close",
	control.Probe: "probe", control.ProbeAck: "probe ack",
	control.ReportRequest: "report request", control.Report: "report",
	control.PathChallenge: "path challenge", control.PathResponse: "path response",
}

// answerTo says which questions have answers with the same token.
var answerTo = map[string]string{
	"echo reply": "echo", "probe ack": "probe", "report": "report request", "path response": "path challenge",
}

// trace records what two gateways send to each other, each on its own interface, where
// it has the time at which it left.
type trace struct {
	captures [2]*netlab.Capture
	keys     string // the file with the keys of both
}

// debugKeys is the line of the configuration that makes a gateway write down the keys,
// and of a tunnel that is not rekeyed meanwhile.
const debugKeys = "debug_esp_sa_file = \"esp_sa\"\nrekey_after = \"60m\""

func keysOf(g *gateway.Gateway) string { return filepath.Join(g.Dir, "esp_sa") }

// read returns what was recorded until now, in order.
func (tr *trace) read(t testing.TB) (list []traced) {
	t.Helper()
	openers := readKeys(t, tr.keys)
	var scratch esp.Scratch
	for sender, c := range tr.captures {
		for _, packet := range c.Packets() {
			if !packet.Sent {
				continue
			}
			payload := udpPayload(packet.Data)
			if payload == nil {
				continue // of the host's kernel
			}
			p := traced{at: packet.Time, sender: sender, size: len(packet.Data)}
			switch esp.Classify(payload) {
			case esp.KindHandshake:
				p.kind = kindHandshake
			case esp.KindKeepalive:
				p.kind = kindKeepalive
			case esp.KindESP:
				spi, err := esp.SPIOf(payload)
				check(t, err)
				in := openers[spi]
				if in == nil {
					t.Fatalf("nobody has the key of SPI %#x", spi)
				}
				plain, next, seq, err := in.Open(&scratch, nil, payload)
				if err != nil {
					t.Fatalf("packet %d on SPI %#x: %v", seq, spi, err)
				}
				if next != esp.NextHeaderDummy {
					p.kind = kindData
					break
				}
				elements, err := control.Parse(nil, plain)
				check(t, err)
				for _, e := range elements {
					p.kind, p.token = kindNames[e.Type], 0
					if e.Type != control.Close {
						p.token = e.Token()
					}
					list = append(list, p)
				}
				continue
			default:
				t.Fatalf("what is %x?", payload)
			}
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b traced) int { return a.at.Compare(b.at) })
	return list
}

// readKeys returns the receiving half of each SA in a file of debug_esp_sa_file.
func readKeys(t testing.TB, file string) map[uint32]*esp.Inbound {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	check(t, err)
	openers := make(map[uint32]*esp.Inbound)
	for _, line := range lines {
		spi, err := strconv.ParseUint(line[3], 0, 32)
		check(t, err)
		keymat, err := hex.DecodeString(strings.TrimPrefix(line[5], "0x"))
		check(t, err)
		suite := esp.AES256GCM
		if strings.HasPrefix(line[4], "ChaCha20") {
			suite = esp.ChaCha20Poly1305
		}
		openers[uint32(spi)], err = esp.NewInbound(uint32(spi), suite, keymat)
		check(t, err)
	}
	return openers
}

// answered waits until each question has its answer, and returns the trace.
func (tr *trace) answered(t testing.TB) []traced {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(100 * time.Millisecond) {
		list := tr.read(t)
		open := unanswered(list)
		if len(open) == 0 {
			return list
		}
		if time.Now().After(deadline) {
			t.Fatalf("without an answer: %v", open)
		}
	}
}

// unanswered returns the questions without an answer, and the answers without a question
// of the other end's that has no other answer.
func unanswered(list []traced) (open []string) {
	type question struct {
		sender int
		kind   string
		token  uint64
	}
	waiting := make(map[question]bool)
	for _, p := range list {
		if asked, ok := answerTo[p.kind]; ok {
			q := question{1 - p.sender, asked, p.token}
			if !waiting[q] {
				open = append(open, fmt.Sprintf("a %s of end %d, to no %s or the second to one", p.kind, p.sender, asked))
			}
			delete(waiting, q)
		} else if slices.Contains(slices.Collect(maps.Values(answerTo)), p.kind) {
			waiting[question{p.sender, p.kind, p.token}] = true
		}
	}
	for q := range waiting {
		open = append(open, fmt.Sprintf("%s of end %d", q.kind, q.sender))
	}
	return open
}

// of returns what an end has sent of a kind.
func of(list []traced, sender int, kind string) (found []traced) {
	for _, p := range list {
		if p.sender == sender && p.kind == kind {
			found = append(found, p)
		}
	}
	return found
}

// during returns what was sent from a time until another.
func during(list []traced, from, to time.Time) (found []traced) {
	for _, p := range list {
		if !p.at.Before(from) && p.at.Before(to) {
			found = append(found, p)
		}
	}
	return found
}

// counts says how many of each kind an end has sent.
func counts(list []traced, sender int) map[string]int {
	n := make(map[string]int)
	for _, p := range list {
		if p.sender == sender {
			n[p.kind]++
		}
	}
	return n
}

// Package tunnel: an end that has heard nothing for so long asks, and asks again so soon
// where nothing answers.
const (
	idleEcho  = 10 * time.Second
	echoAfter = 2 * time.Second
)

// Package pmtud: the least time between two report requests, whatever the round trip.
const requestInterval = 20 * time.Millisecond

// judgeTrace holds what an end has sent in a stretch of a trace against the schedule of a
// tunnel that knows no challenges. Times are those at which packets have left, so
// that a slow machine makes them come later, and fewer. roundTrip is the least that the
// path takes.
func judgeTrace(t testing.TB, what string, all, stretch []traced, sender int, roundTrip time.Duration, allowed ...string) {
	t.Helper()
	n := counts(stretch, sender)
	t.Logf("%s, end %d: %v", what, sender, n)
	interval := max(roundTrip/2, requestInterval) * 99 / 100
	for kind, count := range n {
		if kind == "probe" {
			count = 0
			for _, probe := range of(stretch, sender, kind) {
				if !stalled(all, probe, roundTrip/2+interval, 3*interval) {
					count++
				}
			}
		}
		if count > 0 && !slices.Contains(allowed, kind) {
			t.Errorf("%s: end %d has sent %d of kind %s", what, sender, count, kind)
		}
	}
	// A reply is a sign of life, and the next echo idleEcho after it.
	for i, echo := range of(stretch, sender, "echo") {
		if i == 0 {
			continue
		}
		before := of(stretch, sender, "echo")[i-1]
		apart := echo.at.Sub(before.at)
		if least := idleEcho * 99 / 100; apart < least && !(apart >= echoAfter*99/100 && answerTook(all, before) > echoAfter/2) {
			t.Errorf("%s: end %d has sent an echo %v after the one before", what, sender, apart)
		}
	}
	// A request that had to wait for a CPU may be nearer to the next, not to the one
	// after that.
	requests := of(stretch, sender, "report request")
	for i := 2; i < len(requests); i++ {
		if apart := requests[i].at.Sub(requests[i-2].at); apart < interval {
			t.Fatalf("%s: end %d has sent three report requests in %v", what, sender, apart)
		}
	}
	if k := len(requests); k > 2 {
		if most := 2 + int(requests[k-1].at.Sub(requests[0].at)/interval); k > most {
			t.Errorf("%s: end %d has sent %d report requests, want at most %d, one each %v", what, sender, k, most, interval)
		}
	}
}

// stalled reports whether the machine has misled a discovery before it sent a probe, within
// the time in which that has consequences: a report left later than others do, or its
// requests had a pause. It then checks whether the path has become smaller.
func stalled(all []traced, probe traced, late, pause time.Duration) bool {
	const remembered = 20 * time.Second
	requests := of(during(all, probe.at.Add(-remembered), probe.at), probe.sender, "report request")
	for i, request := range requests {
		if answerTook(all, request) > late || i > 0 && request.at.Sub(requests[i-1].at) > pause {
			return true
		}
	}
	return false
}

// answerTook returns how long after a question its answer left.
func answerTook(all []traced, question traced) time.Duration {
	for _, p := range all {
		if p.sender != question.sender && answerTo[p.kind] == question.kind && p.token == question.token {
			return p.at.Sub(question.at)
		}
	}
	return within
}
