// Package metrics turns the status of a tunnel into metrics for Prometheus.
//
// A [Collector] asks for the document that `fathom status` shows, once for each
// scrape, and does nothing in between: nothing on the data path counts for it. So what
// the two show is the same.
//
// Names, units and suffixes are those of https://prometheus.io/docs/practices/naming.
// docs/metrics.md lists them, and a test holds that list against tunnel.go and peer.go.
package metrics
