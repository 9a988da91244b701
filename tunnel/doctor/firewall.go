package doctor

import (
	"fmt"
	"net/netip"

	"fathom/tunnel/status"
)

// This file holds the checks of IPsec policies and of rules that change what Fathom carries.

// udp is the protocol number.
const udp = 17

// policies looks for IPsec policies that take the tunnel's own packets, or the packets for
// a peer before they get to the tunnel. What arrives by the tunnel without the protection
// that a policy asks for is dropped as well.
func policies(c *Case) (found []status.Finding) {
	for _, policy := range c.Host.Policies {
		peer, takes := c.taken(policy)
		if takes == "" {
			continue
		}
		found = append(found, status.Finding{Code: status.FindingXfrmPolicy, Peer: peer,
			What:   fmt.Sprintf("an IPsec policy of the kernel from %s to %s takes %s", policy.From, policy.To, takes),
			Remedy: "remove the connection from the IPsec daemon that has set it (charon, `swanctl --list-sas`), or `ip xfrm policy delete`; `ip xfrm policy` lists all"})
	}
	return found
}

// taken says which packets of which peer a policy takes, if any.
func (c *Case) taken(policy Policy) (peer, takes string) {
	far, near, farPort, nearPort := policy.To, policy.From, policy.ToPort, policy.FromPort
	if !policy.Out {
		far, near, farPort, nearPort = near, far, nearPort, farPort
	}
	for _, w := range c.Host.Ways {
		if far.Contains(w.To.Addr()) && (!w.From.IsValid() || near.Contains(w.From)) && (policy.Protocol == 0 || policy.Protocol == udp) &&
			(farPort == 0 || farPort == int(w.To.Port())) && (nearPort == 0 || nearPort == int(c.Config.Tunnel.ListenPort)) {
			return w.Peer, fmt.Sprintf("the tunnel's own packets to and from %s", w.To)
		}
	}
	if policy.Protocol != 0 {
		return "", "" // some of the traffic inside: that may be meant
	}
	for _, p := range c.peers() {
		for _, allowed := range p.AllowedIPs {
			if far.Overlaps(allowed) && far.Addr().Is4() == allowed.Addr().Is4() && (allowed.Bits() > 0 || far.Bits() == 0) && c.sends(near) {
				return p.Name, fmt.Sprintf("packets to and from %s, which belong into the tunnel", allowed)
			}
		}
	}
	return "", ""
}

// sends reports whether packets into the tunnel may come from a prefix: it holds an address
// of this end, or networks behind it, which are not known.
func (c *Case) sends(from netip.Prefix) bool {
	for _, p := range c.own() {
		if from.Contains(p.Addr()) {
			return true
		}
	}
	for _, i := range c.Host.Interfaces {
		for _, p := range i.Addresses {
			if i.Name != c.Config.Tunnel.Name && p.Overlaps(from) && (c.Host.Forwards4 || c.Host.Forwards6) {
				return true
			}
		}
	}
	return false
}

func mssRules(c *Case) (found []status.Finding) {
	for _, chain := range c.Host.Chains {
		if chain.SetsMSS {
			found = append(found, status.Finding{Code: status.FindingMSSRule, What: fmt.Sprintf("a rule changes the MSS of TCP, in %s", chain.Where),
				Remedy: "remove it, or restrict it to other interfaces: Fathom tells connections the size that fits, and carries what is larger"})
		}
	}
	return found
}
