package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

//go:embed page
var parts embed.FS

// scripts are the parts of the script, in their order.
var scripts = []string{"text.js", "model.js", "past.js", "chart.js", "peers.js", "hops.js", "view.js", "main.js"}

// Places of the style and of the script in page.html.
const stylePlace, scriptPlace = "/* STYLE */", "/* SCRIPT */"

// pageHandler serves the page.
func pageHandler() http.Handler {
	page, policy := assemble()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(page)))
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		w.Write([]byte(page)) // the client may be gone
	})
}

// assemble makes one document of the parts, and the Content-Security-Policy that lets
// nothing else run or load.
func assemble() (page, policy string) {
	var script strings.Builder
	for _, name := range scripts {
		script.WriteString(part(name))
	}
	style, code := part("style.css"), "'use strict';\n"+script.String()
	page = strings.Replace(part("page.html"), stylePlace, style, 1)
	page = strings.Replace(page, scriptPlace, code, 1)
	policy = fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
		hash(style), hash(code))
	return page, policy
}

// part is a file of the page.
func part(name string) string {
	text, err := parts.ReadFile("page/" + name)
	if err != nil {
		panic(err) // it is in the binary
	}
	return string(text)
}

// hash is a source of a Content-Security-Policy: exactly this text.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
