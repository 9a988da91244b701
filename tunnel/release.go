package tunnel

import (
	"fmt"
	"net/netip"
	"path/filepath"

	"fathom/conf"
	"fathom/tunnel/host"
)

// Release gives the host back as it was before a tunnel that has ended and left its
// guards and rules: one that was killed, or that has left them to a next process which
// does not come. Where the configuration says that packets are to be refused then
// (on_stop), they still are, unless blocked is set. It does not touch the device.
func Release(cfg *conf.Config, blocked bool) error {
	if cfg.Tunnel.OnStop == conf.OnStopBlock && !blocked {
		return nil
	}
	var prefixes []netip.Prefix
	if cfg.Tunnel.Routes {
		for _, p := range cfg.Peers {
			prefixes = append(prefixes, p.AllowedIPs...)
		}
	}
	if err := host.Release(cfg.Tunnel.Name, releaseConfig(cfg.Tunnel), prefixes); err != nil {
		return fmt.Errorf("release what tunnel %s has left: %w", cfg.Tunnel.Name, err)
	}
	return nil
}

// releaseConfig is what host.Release has to know.
func releaseConfig(c conf.Tunnel) host.Config {
	return host.Config{Table: c.Table, Saved: savedMark(c)}
}

// savedMark is the file in which the host's sysctl is noted: host.Config.Saved.
func savedMark(c conf.Tunnel) string {
	return filepath.Join(filepath.Dir(c.StatusSocket), "src_valid_mark")
}
