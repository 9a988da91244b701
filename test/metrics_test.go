//go:build linux

package test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"fathom/test/document"
	"fathom/test/gateway"
	"fathom/test/tier"
)

// scrape asks for metrics, at a host and by a dialer.
func scrape(t *testing.T, host string, dial func(ctx context.Context, network, address string) (net.Conn, error)) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: within}
	r, err := client.Get("http://" + host + "/metrics")
	check(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	check(t, err)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%s", r.Status, text)
	}
	return string(text)
}

// exports checks what a running tunnel exports: by the linter of Prometheus, and against
// the names that the dashboard and the alerts have.
func exports(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	text := scrape(t, metricsAt, g.Host.DialContext)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	check(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	// A counter by reason appears with its first packet.
	later := []string{"fathom_tunnel_dropped_packets_total", "fathom_peer_dropped_packets_total"}
	for _, file := range []string{"../packaging/grafana/fathom.json", "../packaging/prometheus/fathom.rules.yml"} {
		names, err := os.ReadFile(file)
		check(t, err)
		for _, name := range regexp.MustCompile(`\b(?:fathom|go|process)_[a-z_]+`).FindAllString(string(names), -1) {
			if !strings.Contains(text, "\n# TYPE "+name+" ") && !slices.Contains(later, name) {
				t.Errorf("%s: %s is not exported", file, name)
			}
		}
	}
	for _, want := range []string{
		`fathom_peer_up{peer="b"} 1`, `fathom_peer_state{peer="b",state="established"} 1`, `fathom_peer_plpmtu_bytes{peer="b"} 1500`,
		`fathom_peer_inner_mtu_bytes{peer="b"} 1438`, `fathom_peer_egress_mtu_bytes{peer="b"} 1500`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// TestMetricsAtASocket are for its owner and its group.
func TestMetricsAtASocket(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel()
	p := newPair(t, overIPv4, `metrics = "metrics.sock"`)
	up(t, p.a, p.b)
	socket := p.a.Dir + "/metrics.sock"
	info, err := os.Stat(socket)
	check(t, err)
	if info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v", info.Mode())
	}
	if text := scrape(t, "metrics.example.org", func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}); !strings.Contains(text, "\nfathom_peer_up{peer=\"b\"} 1\n") {
		t.Error(text)
	}
	check(t, p.a.Stop())
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// TestEveryAlertFires by Prometheus' own program.
func TestEveryAlertFires(t *testing.T) {
	tier.Select(t, tier.Quick, tier.EitherWay)
	promtool := program(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", "fathom.rules.yml"}, {"test", "rules", "fathom.rules.test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "../packaging/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	rules, err := os.ReadFile("../packaging/prometheus/fathom.rules.yml")
	check(t, err)
	// Those about a tunnel that is gone know it by the name that the document gives the job.
	scrapes, err := document.Blocks("../docs/metrics.md", "## Prometheus")
	check(t, err)
	job := regexp.MustCompile(`(?m)^ +- job_name: (\w+)$`).FindStringSubmatch(scrapes[0])
	if used := regexp.MustCompile(`job="(\w+)"`).FindAllStringSubmatch(string(rules), -1); job == nil || len(used) < 2 ||
		slices.ContainsFunc(used, func(u []string) bool { return u[1] != job[1] }) {
		t.Errorf("the alerts are about the jobs %q, and the document shows %q", used, job)
	}
	tests, err := os.ReadFile("../packaging/prometheus/fathom.rules.test.yml")
	check(t, err)
	alerts := regexp.MustCompile(`(?m)^      - alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1)
	if len(alerts) < 3 {
		t.Errorf("only %d alerts", len(alerts))
	}
	for _, a := range alerts {
		if !regexp.MustCompile(`(?m)^ +alertname: ` + a[1] + `\n +exp_alerts:\n +- exp_labels:`).Match(tests) {
			t.Errorf("no test has %s fire", a[1])
		}
	}
}
