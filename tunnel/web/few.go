package web

import (
	"context"
	"net/http"
)

// few has n requests answered at once, until their answers are sent. Others wait, and are
// refused when that takes too long.
func few(n int, next http.Handler) http.Handler {
	places := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		if !enter(ctx, places) {
			w.Header().Set("Retry-After", retryAfter)
			http.Error(w, "too many ask for this at once", http.StatusServiceUnavailable)
			return
		}
		defer func() { <-places }()
		next.ServeHTTP(w, r)
	})
}

// enter takes a place, and reports whether there was one before ctx has ended.
func enter(ctx context.Context, places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}
