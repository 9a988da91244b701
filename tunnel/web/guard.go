package web

import (
	"net"
	"net/http"
	"net/netip"
)

// guard keeps other web sites out, which a browser on this host may visit. Without it
// one could ask here in the browser's name: for a name of its own that it lets resolve
// to the loopback (DNS rebinding), or to take up the places of readers. So by TCP the
// host of a request must be an address or localhost, and a request that a browser makes
// for another site must be a visit of the page, by a link. A Unix socket cannot be reached
// from a browser, only by a proxy, which may call itself anything.
func guard(unix bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // the page has its own
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		switch site := r.Header.Get("Sec-Fetch-Site"); {
		case !unix && !isLocal(r.Host):
			http.Error(w, "call this by its address; a proxy has to set the header Host to it", http.StatusMisdirectedRequest)
		case (site == "cross-site" || site == "same-site") && !(r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate"):
			http.Error(w, "not for other sites", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isLocal reports whether the host of a request is one that no name server decides about.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost"
}
