//go:build linux

package browser

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
)

// Within only keeps a failing test from hanging.
const Within = 2 * time.Minute

// Browser is one page in a Chromium of its own. Its methods end the test on an error, and
// belong to the test's goroutine.
type Browser struct {
	t       testing.TB
	out     *os.File
	session string
	next    int
	replies chan message

	mu       sync.Mutex
	requests []string // URLs; guarded by mu
	trouble  []string // errors and warnings of the page; guarded by mu
}

// message is one of the protocol.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Start runs Chromium on a host until the test ends. Without one the test is skipped, or
// fails with CI=true.
func Start(t testing.TB, host *netlab.Host) *Browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		labtest.Missing(t, fmt.Errorf("%w (apt-get install chromium)", err))
	}
	dir, err := os.MkdirTemp("", "fathom-browser")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	theirIn, ourOut, err := os.Pipe()
	check(t, err)
	ourIn, theirOut, err := os.Pipe()
	check(t, err)
	// The sandbox is one more user namespace, which a laboratory need not allow. The
	// page is our own.
	process := host.Command(program, "--headless", "--no-sandbox", "--remote-debugging-pipe", "--user-data-dir="+dir, "--no-first-run",
		"--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-extensions",
		"--hide-scrollbars", "--lang=en", "about:blank")
	process.ExtraFiles = []*os.File{theirIn, theirOut}
	process.Env = append(os.Environ(), "HOME="+dir, "TZ=UTC")
	check(t, process.Start())
	theirIn.Close()
	theirOut.Close()
	b := &Browser{t: t, out: ourOut, replies: make(chan message, 1)}
	ended := make(chan struct{})
	go func() { defer close(ended); b.read(ourIn) }()
	t.Cleanup(func() {
		ourOut.Close() // it ends with its pipe
		if wait(process.Wait) != nil {
			process.Process.Kill()
			process.Wait()
		}
		ourIn.Close()
		<-ended
	})
	b.attach()
	return b
}

// wait bounds the end of a process.
func wait(end func() error) error {
	done := make(chan struct{})
	go func() { defer close(done); end() }()
	select {
	case <-done:
		return nil
	case <-time.After(Within):
		return errors.New("does not end")
	}
}

// attach opens a page and listens to it.
func (b *Browser) attach() {
	b.t.Helper()
	var target struct {
		TargetID string `json:"targetId"`
	}
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct {
		SessionID string `json:"sessionId"`
	}
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network", "Accessibility"} {
		b.call(domain+".enable", nil, nil)
	}
}

// read takes in what Chromium sends.
func (b *Browser) read(from *os.File) {
	defer close(b.replies)
	for in := bufio.NewReader(from); ; {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			message
			Params json.RawMessage `json:"params"`
		}
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		if m.ID != 0 {
			b.replies <- m.message
			continue
		}
		b.notice(m.Method, m.Params)
	}
}

// notice keeps what the page has asked for, and what went wrong.
func (b *Browser) notice(method string, params json.RawMessage) {
	var p struct {
		Request struct {
			URL string `json:"url"`
		} `json:"request"`
		Entry struct {
			Level, Text string
		} `json:"entry"`
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	json.Unmarshal(params, &p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch method {
	case "Network.requestWillBeSent":
		b.requests = append(b.requests, p.Request.URL)
	case "Log.entryAdded":
		b.trouble = append(b.trouble, p.Entry.Level+": "+p.Entry.Text)
	case "Runtime.exceptionThrown":
		b.trouble = append(b.trouble, p.ExceptionDetails.Text+" "+p.ExceptionDetails.Exception.Description)
	}
}

// call sends a command and decodes its result into a variable, if there is one.
func (b *Browser) call(method string, params, into any) {
	b.t.Helper()
	b.next++
	text, err := json.Marshal(message{ID: b.next, SessionID: b.session, Method: method, Params: params})
	check(b.t, err)
	if _, err := b.out.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: Chromium has ended: %v", method, err)
	}
	select {
	case reply, ok := <-b.replies:
		switch {
		case !ok:
			b.t.Fatalf("%s: Chromium has ended", method)
		case reply.ID != b.next:
			b.t.Fatalf("%s: an answer to command %d, not %d", method, reply.ID, b.next)
		case reply.Error != nil:
			b.t.Fatalf("%s: %s", method, reply.Error.Message)
		case into != nil:
			check(b.t, json.Unmarshal(reply.Result, into))
		}
	case <-time.After(Within):
		b.t.Fatalf("%s: Chromium does not answer", method)
	}
}

// Requests returns the URLs that the page has asked for so far.
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.requests...)
}

// Trouble returns what the page has complained of so far: errors, and violations of its
// own policy.
func (b *Browser) Trouble() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.trouble...)
}

// Screenshot writes a picture of what is on the screen, as PNG.
func (b *Browser) Screenshot(path string) {
	b.t.Helper()
	var shot struct {
		Data string `json:"data"`
	}
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	check(b.t, err)
	check(b.t, os.WriteFile(path, data, 0o644))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
