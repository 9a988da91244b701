//go:build linux

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fathom/test/browser"
	"fathom/test/tier"
)

// metricsAt is where the gateways of these tests serve metrics and the page.
const metricsAt = "127.0.0.1:9586"

const serveMetrics = `metrics = "` + metricsAt + `"`

// pictures is where the test of the page puts pictures of it, empty: nowhere. Then it
// takes its time, so that there is something to see.
var pictures = os.Getenv("FATHOM_PICTURES")

// linger waits, where pictures are wanted.
func linger(d time.Duration) {
	if pictures != "" {
		time.Sleep(d)
	}
}

// Screens of the readers.
var (
	desk      = browser.Screen{Width: 1200, Height: 1010, Scale: 1.5}
	deskDark  = browser.Screen{Width: 1200, Height: 1010, Scale: 1.5, Dark: true}
	phone     = browser.Screen{Width: 360, Height: 800, Scale: 2, Mobile: true}
	phoneDark = browser.Screen{Width: 360, Height: 800, Scale: 2, Mobile: true, Dark: true}
)

// TestThePageInABrowser lets the path shrink twice and grow in the middle of a transfer,
// and looks at the page: it shows each step with its cause, on any screen, to those who
// have no mouse, and to those who do not see.
func TestThePageInABrowser(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	l := newLongPath(t, overIPv4, serveMetrics)
	l.R.CutPTB(true)
	l.S.CutPTB(true)
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	exports(t, l.a)
	b := browser.Start(t, l.A)
	b.Show(desk)
	b.Open("http://" + metricsAt + "/")
	b.Await("the peer", `document.querySelector('#overall')?.textContent === 'the peer is up'`)
	b.Await("the first size", `document.querySelector('#chart text.size')?.textContent === '1500'`)

	linger(8 * time.Second)
	client, server := connect(t, l.A, l.B, innerB4)
	data := transferOver(t, paced{client, 12 << 20}, server)
	data.more(1 << 20)
	b.Await("the throughput", `document.querySelector('#chart path.sent-line') && document.querySelector('#tiles .sent small')?.textContent === 'Mbit/s'`)
	linger(8 * time.Second)
	// Where steps crowd, the chart has words for those downwards, and lines for all.
	label := func(text string) string {
		return fmt.Sprintf(`[...document.querySelectorAll('#chart text.cause.fell')].some((e) => e.textContent.includes(%q))`, text)
	}
	for _, change := range []struct {
		mtu         int
		event, step string
	}{
		{1400, "PLPMTU fell from 1500 to 1400: black hole", label("1500 → 1400  black hole")},
		{1000, "PLPMTU fell from 1400 to 1000: black hole", label("1400 → 1000  black hole")},
		{1500, "PLPMTU rose from 1000 to 1500: probe", `document.querySelector('#chart .event-line.rose')`},
	} {
		l.middle.SetMTU(change.mtu)
		exact(t, l.a, change.mtu)
		data.more(1 << 20)
		b.Await(change.event, fmt.Sprintf(`[...document.querySelectorAll('#events li b')].some((e) => e.textContent === %q)`, change.event))
		b.Await("the step", change.step)
		b.Await("the words of it", fmt.Sprintf(`document.querySelector('#announce').textContent.endsWith(%q)`, change.event))
		b.Await("the size", fmt.Sprintf(`document.querySelector('#tiles .plpmtu dd').firstChild.textContent === '%d'`, change.mtu))
		linger(10 * time.Second)
		if change.mtu == 1000 {
			// The routers say nothing: the page shows between which two packets vanish.
			b.Await("that nobody has measured", `document.querySelector('#hops code')?.textContent === 'fathom probe b --hops'`)
			check(t, l.a.Command("probe", "-c", l.a.Config(), "--hops", "b").Run())
			b.Await("where packets vanish", `(() => { const said = [...document.querySelectorAll('#hops p.fell')].map((e) => e.textContent);
				return said.length === 2 && said.every((s) => /^Packets above 1000 bytes vanish between hop 1 \(.+\) and hop 2 \(.+\)\.$/.test(s)); })()`)
			b.Await("the hops", `document.querySelectorAll('#hops tbody tr').length === 8 && document.querySelector('#hops tr.fell').textContent.endsWith('silent above 1000')`)
			fits(t, b)
			withoutAMouse(t, b)
		}
	}
	b.Await("why", `[...document.querySelectorAll('#events li.fell span')].every((e) => e.textContent.startsWith('larger packets vanished, and no router said so'))`)
	if pictures != "" {
		b.Eval("document.activeElement.blur() ?? true", nil)
		for name, screen := range map[string]browser.Screen{"page.png": desk, "page-dark.png": deskDark, "page-phone.png": phoneDark} {
			b.Show(screen)
			b.Await("the screen", fmt.Sprintf("innerWidth === %d && document.querySelector('#chart svg').clientWidth < %d", screen.Width, screen.Width))
			linger(time.Second)
			b.Screenshot(filepath.Join(pictures, name))
		}
	}
	data.stop()

	check(t, l.a.Stop())
	b.Await("that the tunnel has ended", `!document.querySelector('#trouble').hidden && document.querySelector('#overall').textContent === 'not known'`)
	check(t, l.a.Start())
	b.Await("the tunnel again, and what it remembers", `document.querySelector('#trouble').hidden && document.querySelector('#overall').textContent === 'the peer is up'
		&& [/^PLPMTU fell from 1[45]00 to 1000: black hole$/, /^The tunnel ended$/, /^The tunnel started$/].every((title) => [...document.querySelectorAll('#events li b')].some((e) => title.test(e.textContent)))`)
	for _, url := range b.Requests() {
		if !strings.HasPrefix(url, "http://"+metricsAt+"/") && !strings.HasPrefix(url, "data:") && url != "about:blank" {
			t.Errorf("the page asks for %s", url)
		}
	}
	for _, trouble := range b.Trouble() {
		if !strings.Contains(trouble, "ERR_CONNECTION_REFUSED") && !strings.Contains(trouble, "ERR_INCOMPLETE_CHUNKED_ENCODING") { // the end of the tunnel
			t.Error(trouble)
		}
	}
}

// fits looks at the page on all screens: nothing is wider than they are.
func fits(t *testing.T, b *browser.Browser) {
	t.Helper()
	grounds := make(map[string]bool)
	for _, screen := range []browser.Screen{phone, phoneDark, deskDark, desk} {
		b.Show(screen)
		b.Await("the chart on the screen", fmt.Sprintf(`innerWidth === %d && (() => { const w = document.querySelector('#chart svg').viewBox.baseVal.width; return w > innerWidth / 2 && w < innerWidth; })()`, screen.Width))
		var wide []string
		b.Eval(`[...document.querySelectorAll('body *')].filter((e) => !e.closest('.hidden, .skip') && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 200))`, &wide)
		if len(wide) > 0 {
			t.Errorf("on %+v these are cut off: %q", screen, wide)
		}
		var ground string
		b.Eval(`getComputedStyle(document.body).backgroundColor`, &ground)
		grounds[fmt.Sprint(screen.Dark, ground)] = true
	}
	if len(grounds) != 2 {
		t.Errorf("light and dark grounds: %v", grounds)
	}
}

// withoutAMouse goes through the page by its keys.
func withoutAMouse(t *testing.T, b *browser.Browser) {
	t.Helper()
	for _, node := range b.Focusable() {
		if strings.TrimSpace(node.Name) == "" {
			t.Errorf("a %s without a name for screen readers", node.Role)
		}
	}
	var met []string
	for range 8 {
		b.Press("Tab")
		var at string
		b.Eval(`((e) => e.id || e.name || e.className || e.tagName)(document.activeElement)`, &at)
		met = append(met, at)
		if at == "range" {
			b.Press("ArrowRight")
			b.Await("ten minutes", `location.hash.includes('10+min') && document.querySelector('#ranges :checked').value === '10 min'`)
			b.Press("ArrowLeft")
			b.Await("one minute", `location.hash.includes('1+min')`)
		}
		if at == "chart" {
			break
		}
	}
	if !slices.Equal(met, []string{"skip", "BUTTON", "range", "chart"}) {
		t.Errorf("Tab leads to %q", met)
	}
	b.Press("ArrowLeft")
	b.Await("the past, in words", `/^[0-9:]{8}: PLPMTU \d+/.test(document.querySelector('#chart').getAttribute('aria-valuetext')) && document.querySelector('#chart .cursor')`)
	b.Press("Escape")
	b.Await("the present", `document.querySelector('#chart').getAttribute('aria-valuetext').startsWith('now: ') && !document.querySelector('#chart .cursor')`)
}
