package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"fathom/tunnel/status"
)

// timeout bounds the time that the tunnel may take to tell its status.
const timeout = 5 * time.Second

// Source is the tunnel that is shown. Status may be called from several goroutines at
// once; it returns early when ctx ends.
type Source interface {
	Status(ctx context.Context) (*status.Status, error)
}

// NewRegistry returns a registry with the metrics of a tunnel, of this process and of
// its Go runtime.
func NewRegistry(source Source) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(New(source), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// A Collector is the prometheus.Collector of one tunnel. If the tunnel does not tell
// its status, the scrape fails.
type Collector struct{ source Source }

// New returns the Collector of a tunnel.
func New(source Source) *Collector { return &Collector{source} }

// add tells of one sample; labels are the values of a family's own labels.
type add func(value float64, labels ...string)

// family is a metric and where it is in the status: of the tunnel, or of each peer.
type family[T any] struct {
	kind       prometheus.ValueType
	name, help string
	labels     []string // beside "peer"
	samples    func(*T, add)

	desc *prometheus.Desc // set by describe
}

// describe makes the descriptions of families, which all bear the labels common.
func describe[T any](families []family[T], common ...string) []family[T] {
	for i := range families {
		f := &families[i]
		f.desc = prometheus.NewDesc(f.name, f.help, slices.Concat(common, f.labels), nil)
	}
	return families
}

// collect sends the samples of families; common are the values of the common labels.
func collect[T any](families []family[T], of *T, to chan<- prometheus.Metric, common ...string) {
	for _, f := range families {
		f.samples(of, func(value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(f.desc, f.kind, value, slices.Concat(common, labels)...)
		})
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, f := range tunnelFamilies {
		to <- f.desc
	}
	for _, f := range peerFamilies {
		to <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s, err := c.source.Status(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(tunnelFamilies[0].desc, err)
		return
	}
	collect(tunnelFamilies, s, to)
	for i := range s.Peers {
		collect(peerFamilies, &s.Peers[i], to, s.Peers[i].Name)
	}
}

// gauge and counter are the two kinds in use.
const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue

// one is the sample of a family without labels of its own.
func one[T any, N int | uint64 | float64](value func(*T) N) func(*T, add) {
	return func(of *T, add add) { add(float64(value(of))) }
}

// positive leaves a value out that is not known yet, and then is zero.
func positive[T any, N int | float64](value func(*T) N) func(*T, add) {
	return func(of *T, add add) {
		if v := value(of); v > 0 {
			add(float64(v))
		}
	}
}

// byName has a sample for each entry of a map.
func byName[T any](values func(*T) map[string]uint64) func(*T, add) {
	return func(of *T, add add) {
		for name, n := range values(of) {
			add(float64(n), name)
		}
	}
}

// stateSet has a sample for each state: 1 for the present one, 0 for the others.
func stateSet[T any, S ~string](all []S, present func(*T) S) func(*T, add) {
	return func(of *T, add add) {
		for _, state := range all {
			value := 0.0
			if state == present(of) {
				value = 1
			}
			add(value, string(state))
		}
	}
}

// seconds is a time as Prometheus has it: since 1970.
func seconds(at time.Time) float64 { return float64(at.UnixNano()) / float64(time.Second) }
