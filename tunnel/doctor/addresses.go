package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"fathom/tunnel/status"
)

// This file holds the checks of inner addresses, allowed_ips and forwarding.

// networks calls f with the networks of the host's interfaces other than the tunnel's.
func (c *Case) networks(f func(interfaceName string, network netip.Prefix)) {
	for _, i := range c.Host.Interfaces {
		if i.Name == c.Config.Tunnel.Name || i.Name == "lo" {
			continue
		}
		for _, p := range i.Addresses {
			if !p.Addr().IsLinkLocalUnicast() {
				f(i.Name, p)
			}
		}
	}
}

func addressCollides(c *Case) (found []status.Finding) {
	c.networks(func(name string, network netip.Prefix) {
		for _, own := range c.own() {
			if network.Contains(own.Addr()) || own.Bits() < own.Addr().BitLen() && own.Masked().Contains(network.Addr()) {
				found = append(found, status.Finding{Code: status.FindingAddressCollides, What: fmt.Sprintf("tunnel.address %s collides with %s of %s", own, network, name),
					Remedy: "choose inner addresses for both ends that no network of either host has, such as another 10.x.y.0/24"})
			}
		}
	})
	return found
}

// networkCollides: routes of one length compete, and a longer one takes hosts out of the
// network in which this host is. A shorter one leaves it alone.
func networkCollides(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		c.networks(func(name string, network netip.Prefix) {
			for _, allowed := range p.AllowedIPs {
				if network.Bits() < network.Addr().BitLen() && allowed.Bits() >= network.Bits() && network.Masked().Contains(allowed.Addr()) {
					found = append(found, status.Finding{Code: status.FindingNetworkCollides, Peer: p.Name,
						What:   fmt.Sprintf("allowed_ips has %s, and this host is in that network by %s: %s", allowed, name, network),
						Remedy: "give one of the two networks other addresses, or take the prefix out of allowed_ips"})
				}
			}
		})
	}
	return found
}

func sameAddress(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		facts := c.Facts[p.Name]
		if facts == nil {
			continue
		}
		for _, own := range c.own() {
			if slices.ContainsFunc(facts.Addresses, func(theirs netip.Prefix) bool { return theirs.Addr() == own.Addr() }) {
				found = append(found, status.Finding{Code: status.FindingSameAddress, Peer: p.Name, What: fmt.Sprintf("both ends have the inner address %s", own.Addr()),
					Remedy: "give each end its own in tunnel.address, and correct the other's allowed_ips"})
			}
		}
	}
	return found
}

// allowedIPs: what one end sends from must be accepted by the other. Of the networks behind
// the ends nothing is known here.
func allowedIPs(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		facts := c.Facts[p.Name]
		if facts == nil {
			continue
		}
		for _, own := range c.own() {
			if !facts.Truncated && !within(own.Addr(), facts.AllowedIPs) {
				found = append(found, status.Finding{Code: status.FindingAllowedIPs, Peer: p.Name, What: fmt.Sprintf("%s does not accept packets from %s, this end's address: its allowed_ips do not have it", p.Name, own.Addr()),
					Remedy: fmt.Sprintf("on %s, add %q to this host's allowed_ips, and `fathom reload`", p.Name, netip.PrefixFrom(own.Addr(), own.Addr().BitLen()))})
			}
		}
		for _, theirs := range facts.Addresses {
			if !within(theirs.Addr(), p.AllowedIPs) && !slices.ContainsFunc(c.own(), func(own netip.Prefix) bool { return own.Addr() == theirs.Addr() }) {
				found = append(found, status.Finding{Code: status.FindingAllowedIPs, Peer: p.Name, What: fmt.Sprintf("this end does not accept packets from %s, an address of %s: allowed_ips do not have it", theirs.Addr(), p.Name),
					Remedy: fmt.Sprintf("add %q to allowed_ips of %s here, and `fathom reload`", netip.PrefixFrom(theirs.Addr(), theirs.Addr().BitLen()), p.Name)})
			}
		}
	}
	return found
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// forwarding: what the peer accepts from this end and is neither an address of it nor in
// the network of the inner addresses lies behind this host.
func forwarding(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		facts := c.Facts[p.Name]
		if facts == nil {
			continue
		}
		told := [2]bool{c.Host.Forwards4, c.Host.Forwards6}
		for _, behind := range facts.AllowedIPs {
			family, key := 0, "net.ipv4.ip_forward"
			if behind.Addr().Is6() {
				family, key = 1, "net.ipv6.conf.all.forwarding"
			}
			inner := slices.ContainsFunc(c.own(), func(own netip.Prefix) bool {
				return own.Masked().Overlaps(behind) && behind.Bits() >= own.Bits()
			})
			if told[family] || inner || behind.IsSingleIP() && c.Host.has(behind.Addr()) {
				continue
			}
			told[family] = true
			found = append(found, status.Finding{Code: status.FindingNotForwarding, Peer: p.Name, What: fmt.Sprintf("%s expects %s behind this host, which does not forward: %s is 0", p.Name, behind, key),
				Remedy: fmt.Sprintf("`sysctl -w %s=1`, and write it to /etc/sysctl.d for good", key)})
		}
	}
	return found
}

// notRouted: the host's route for a prefix leads elsewhere, or nowhere.
func notRouted(c *Case) (found []status.Finding) {
	if c.Status == nil || c.Config.Tunnel.Table != 0 {
		return nil // other tables are the administrator's
	}
	for _, r := range c.Host.Routes {
		if r.Interface == c.Config.Tunnel.Name {
			continue
		}
		where := "are refused"
		if r.Interface != "" {
			where = "leave by " + r.Interface
		}
		f := status.Finding{Code: status.FindingNotRouted, Peer: r.Peer, What: fmt.Sprintf("packets for %s %s instead of entering %s", r.Prefix, where, c.Config.Tunnel.Name),
			Remedy: "find out who has set that route (`ip route get`, `ip rule`) and remove it; `fathom status` tells what was displaced"}
		if !c.Config.Tunnel.Routes {
			f.Remedy = fmt.Sprintf("`ip route add %s dev %s`, or leave the routes to Fathom (`routes = true`)", r.Prefix, c.Config.Tunnel.Name)
		}
		found = append(found, f)
	}
	return found
}
