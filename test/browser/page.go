//go:build linux

package browser

import (
	"encoding/json"
	"time"
)

// Screen is what the page is shown on.
type Screen struct {
	Width, Height int // in CSS pixels
	Scale         float64
	Mobile, Dark  bool
}

// Show changes the screen.
func (b *Browser) Show(s Screen) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": s.Width, "height": s.Height, "deviceScaleFactor": s.Scale, "mobile": s.Mobile}, nil)
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Open goes to a URL.
func (b *Browser) Open(url string) {
	b.t.Helper()
	var went struct {
		ErrorText string `json:"errorText"`
	}
	b.call("Page.navigate", map[string]any{"url": url}, &went)
	if went.ErrorText != "" {
		b.t.Fatalf("%s: %s", url, went.ErrorText)
	}
}

// Eval evaluates an expression in the page and decodes its value into a variable.
func (b *Browser) Eval(expression string, into any) {
	b.t.Helper()
	var r struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if e := r.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if into != nil {
		check(b.t, json.Unmarshal(r.Result.Value, into))
	}
}

// Text returns what an element of the page says, "" without one.
func (b *Browser) Text(selector string) (text string) {
	b.t.Helper()
	quoted, err := json.Marshal(selector)
	check(b.t, err)
	b.Eval("document.querySelector("+string(quoted)+")?.textContent ?? ''", &text)
	return text
}

// Await waits until an expression is true.
func (b *Browser) Await(what, expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(Within); ; time.Sleep(20 * time.Millisecond) {
		var holds bool
		b.Eval("Boolean("+expression+")", &holds)
		if holds {
			return
		}
		if time.Now().After(deadline) {
			var shown string
			b.Eval("document.body.innerText", &shown)
			b.t.Fatalf("the page never shows %s: it shows\n%s\ntrouble: %q", what, shown, b.Trouble())
		}
	}
}

// keys are the codes of the keys that Press knows.
var keys = map[string]int{"Tab": 9, "Escape": 27, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}

// Press presses a key, by its name in the DOM.
func (b *Browser) Press(key string) {
	b.t.Helper()
	code, ok := keys[key]
	if !ok {
		b.t.Fatalf("no key %q", key)
	}
	for _, kind := range []string{"keyDown", "keyUp"} {
		b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
	}
}

// Node is what a screen reader is told of an element.
type Node struct{ Role, Name string }

// Focusable returns what a screen reader is told of all elements that can have the focus,
// but the document.
func (b *Browser) Focusable() (list []Node) {
	b.t.Helper()
	type value struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored    bool  `json:"ignored"`
			Role       value `json:"role"`
			Name       value `json:"name"`
			Properties []struct {
				Name  string `json:"name"`
				Value value  `json:"value"`
			} `json:"properties"`
		} `json:"nodes"`
	}
	var raw json.RawMessage
	b.call("Accessibility.getFullAXTree", nil, &raw)
	check(b.t, json.Unmarshal(raw, &tree))
	for _, n := range tree.Nodes {
		role, _ := n.Role.Value.(string)
		name, _ := n.Name.Value.(string)
		for _, p := range n.Properties {
			if p.Name == "focusable" && p.Value.Value == true && !n.Ignored && role != "RootWebArea" {
				list = append(list, Node{role, name})
			}
		}
	}
	return list
}
