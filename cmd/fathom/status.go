package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/tunnel"
)

func newStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the running tunnel and its peers",
		Long: `Show the state of the running tunnel and its peers.

Exit code: 0 when every peer is up, 3 when one is not, 4 when no tunnel is
running, 1 for any other error.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(cmd)
	socket := cmd.Flags().String("socket", "", "status `socket` of the tunnel, instead of the configuration's")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *socket == "" {
			cfg, err := conf.Load(*path)
			if err != nil {
				return err
			}
			*socket = cfg.Tunnel.StatusSocket
		}
		s, err := tunnel.FetchStatus(cmd.Context(), *socket)
		if err != nil {
			return err
		}
		if *asJSON {
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			err = encoder.Encode(s)
		} else {
			err = writeStatus(cmd.OutOrStdout(), s, time.Now())
		}
		if err == nil && !s.Up() {
			err = exitCode(exitPeerDown)
		}
		return err
	}
	return cmd
}

// writeStatus prints a status for people.
func writeStatus(w io.Writer, s *tunnel.Status, now time.Time) error {
	var b strings.Builder
	line := func(indent, name, format string, args ...any) {
		fmt.Fprintf(&b, "%s%s: %s\n", indent, name, fmt.Sprintf(format, args...))
	}
	line("", "tunnel", "%s", s.Name)
	line("  ", "public key", "%s", s.PublicKey)
	line("  ", "listening", "%s", strings.Join(s.Listen, ", "))
	line("  ", "addresses", "%s", join(s.Addresses))
	if len(s.Dropped) > 0 {
		line("  ", "dropped", "%s", counters(s.Dropped))
	}
	for _, p := range s.Peers {
		b.WriteByte('\n')
		line("", "peer", "%s", p.Name)
		line("  ", "state", "%s", p.State)
		line("  ", "public key", "%s", p.PublicKey)
		if p.Endpoint != "" {
			line("  ", "endpoint", "%s", p.Endpoint)
		}
		line("  ", "allowed ips", "%s", join(p.AllowedIPs))
		if p.PMTUD.PLPMTU > 0 {
			line("  ", "plpmtu", "%d bytes (%s), inner mtu %d", p.PMTUD.PLPMTU, p.PMTUD.Source, p.PMTUD.InnerMTU)
		}
		if p.RTTMillis != nil {
			line("  ", "rtt", "%.1f ms", *p.RTTMillis)
		}
		if p.LastHandshake != nil {
			line("  ", "latest handshake", "%s ago, %s", now.Sub(*p.LastHandshake).Round(time.Second), p.Cipher)
		}
		line("  ", "transfer", "%s received, %s sent", bytesOf(p.RxBytes), bytesOf(p.TxBytes))
		if len(p.Dropped) > 0 {
			line("  ", "dropped", "%s", counters(p.Dropped))
		}
	}
	_, err := io.WriteString(w, b.String())
	return errors.Join(err)
}

func join[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, item := range list {
		words[i] = item.String()
	}
	return strings.Join(words, ", ")
}

// counters prints "reason 3, other 1" in alphabetical order.
func counters(m map[string]uint64) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		words = append(words, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(words, ", ")
}

// bytesOf prints a number of bytes with a binary unit.
func bytesOf(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefixes := float64(n)/unit, "KMGTPE"
	for value >= unit {
		value, prefixes = value/unit, prefixes[1:]
	}
	return fmt.Sprintf("%.2f %ciB", value, prefixes[0])
}
