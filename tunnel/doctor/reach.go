package doctor

import (
	"fmt"
	"slices"

	"fathom/conf"
	"fathom/tunnel/status"
)

// This file holds the checks of how the peers are reached.

const strictRPFilter = 1

func names(c *Case) (found []status.Finding) {
	for _, n := range c.Host.Names {
		if n.Problem == "" {
			continue
		}
		found = append(found, status.Finding{Code: status.FindingNoName, Peer: n.Peer, What: fmt.Sprintf("the endpoint %s does not resolve: %s", n.Host, n.Problem),
			Remedy: "correct the name in the peer's endpoint, or /etc/resolv.conf; an IP address as endpoint needs no DNS"})
	}
	return found
}

// ways looks at the host's routes to the peers. Where the tunnel runs it knows better
// whether there is one: rules may tell its packets from others.
func ways(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		s := c.status(p.Name)
		if c.Status != nil && (s == nil || s.State != status.PeerNoRoute && (s.Attempt == nil || s.Attempt.Reason != status.ReasonNoWay)) {
			continue
		}
		looped, problem := "", ""
		for _, w := range c.Host.Ways {
			switch {
			case w.Peer != p.Name:
			case w.Interface == c.Config.Tunnel.Name:
				looped = w.To.String()
			case w.Problem != "":
				problem = fmt.Sprintf("the host has no route to %s: %s", w.To, w.Problem)
			}
		}
		switch {
		case looped != "":
			found = append(found, status.Finding{Code: status.FindingLoop, Peer: p.Name, What: fmt.Sprintf("the host routes packets to %s, where the peer is, into %s itself", looped, c.Config.Tunnel.Name),
				Remedy: "give the endpoint a route of its own by the uplink, or let Fathom set the default route (`routes = true` and `0.0.0.0/0` in allowed_ips)"})
		case s != nil && s.Problem != "":
			found = append(found, noRoute(p.Name, s.Problem))
		case s != nil && s.Attempt != nil:
			found = append(found, noRoute(p.Name, s.Attempt.Detail))
		case problem != "":
			found = append(found, noRoute(p.Name, problem))
		}
	}
	return found
}

func noRoute(peer, what string) status.Finding {
	return status.Finding{Code: status.FindingNoRoute, Peer: peer, What: what, Remedy: "bring the uplink up, and look at `ip route get` with the endpoint's address"}
}

func reversePath(c *Case) (found []status.Finding) {
	told := make(map[string]bool)
	for _, r := range c.Host.Returns {
		strict := slices.ContainsFunc(c.Host.Interfaces, func(i Interface) bool { return i.Name == r.Uplink && i.RPFilter == strictRPFilter })
		if !strict || r.Answered == r.Uplink || told[r.Uplink] {
			continue
		}
		told[r.Uplink] = true
		by := "by none"
		if r.Answered != "" {
			by = "by " + r.Answered
		}
		found = append(found, status.Finding{Code: status.FindingRPFilter, Peer: r.Peer, What: fmt.Sprintf("rp_filter drops what comes by %s, since the kernel would answer %s", r.Uplink, by),
			Remedy: fmt.Sprintf("`sysctl -w net.ipv4.conf.%s.rp_filter=2`, and the same for `all` if that is 1", r.Uplink)})
	}
	return found
}

func knocks(c *Case) (found []status.Finding) {
	for _, k := range c.Host.Knocks {
		if c.up(k.Peer) {
			continue
		}
		f := status.Finding{Peer: k.Peer}
		by := "somebody on the way"
		if k.By.IsValid() {
			by = k.By.String()
		}
		switch k.Result {
		case Closed:
			f.Code, f.What = status.FindingPortClosed, fmt.Sprintf("%s says that nothing has UDP port %d there", by, k.To.Port())
			f.Remedy = "start Fathom on the peer, or correct the port in the peer's endpoint"
		case Refused:
			f.Code, f.What = status.FindingRefused, fmt.Sprintf("%s does not let packets to %s through: %s", by, k.To, k.Problem)
			f.Remedy = fmt.Sprintf("let UDP to port %d through there", k.To.Port())
		case NotSent:
			f.Code, f.What = status.FindingFirewallOut, fmt.Sprintf("this host's firewall refuses packets to %s: %s", k.To, k.Problem)
			f.Remedy = fmt.Sprintf("let UDP to port %d out: `nft list ruleset` shows the rules", k.To.Port())
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// firewallIn looks at the host's own firewall where a peer is not up: what a peer sends
// first would be dropped. It may let in what answers packets of ours.
func firewallIn(c *Case) (found []status.Finding) {
	for _, chain := range c.Host.Chains {
		if chain.DropsPort && slices.ContainsFunc(c.peers(), func(p conf.Peer) bool { return !c.up(p.Name) && c.mayCome(p.Name, chain.Family) }) {
			found = append(found, status.Finding{Code: status.FindingFirewallIn, What: fmt.Sprintf("this host's firewall drops what peers send to UDP port %d, in %s", c.Config.Tunnel.ListenPort, chain.Where),
				Remedy: fmt.Sprintf("let it in: a rule `udp dport %d accept` before the others in that chain", c.Config.Tunnel.ListenPort)})
		}
	}
	return found
}

// mayCome reports whether a peer may be reached by a family: where it is not known to be, by
// either.
func (c *Case) mayCome(peer string, family Family) bool {
	known := false
	for _, w := range c.Host.Ways {
		if w.Peer != peer {
			continue
		}
		if family == AnyFamily || w.To.Addr().Is4() == (family == IPv4) {
			return true
		}
		known = true
	}
	return !known
}

// reasons are those that the tunnel has for a peer that is not up, and what to do. Without a
// code in them, another check finds them.
var reasons = map[status.Reason]struct {
	code   status.FindingCode
	remedy string
}{
	status.ReasonPresharedKey: {status.FindingPresharedKey, "give both ends the same preshared key, or none"},
	status.ReasonNoCipher:     {status.FindingNoCipher, "give tunnel.ciphers of both ends an entry in common; the default list has all"},
	status.ReasonUnused:       {status.FindingUnused, "compare the preshared keys of both ends, and look whether this end's answers get out: `fathom doctor` on the peer"},
	status.ReasonWaiting:      {status.FindingWaiting, "start Fathom on the peer and look at its `fathom doctor`, or give this end the peer's endpoint"},
	status.ReasonClosed:       {status.FindingClosed, "start Fathom on the peer again"},
	status.ReasonNoName:       {status.FindingNoName, "correct the name in the peer's endpoint, or /etc/resolv.conf of the service"},
	status.ReasonNoAnswer:     {status.FindingNoAnswer, "on the peer: does it run, does it name a stranger (`fathom status`), does its firewall let the UDP port in (`fathom doctor`)? On the way: does a firewall or NAT let UDP through?"},
}

// unanswered tells why the tunnel has not reached a peer. Silence is told of where nothing
// that was seen explains it.
func unanswered(c *Case) (found []status.Finding) {
	nameless := names(c)
	unnamed := concerned(nameless)
	explained := concerned(slices.Concat(nameless, ways(c), knocks(c), reversePath(c), deadMapping(c)))
	for _, p := range c.peers() {
		s := c.status(p.Name)
		if s == nil || s.Attempt == nil || c.up(p.Name) {
			continue
		}
		r, known := reasons[s.Attempt.Reason]
		if !known || r.code == status.FindingNoAnswer && explained[p.Name] || r.code == status.FindingNoName && unnamed[p.Name] {
			continue
		}
		found = append(found, status.Finding{Code: r.code, Peer: p.Name, What: s.Attempt.Detail, Remedy: r.remedy})
	}
	return found
}

// concerned returns the peers that findings are about.
func concerned(found []status.Finding) map[string]bool {
	peers := make(map[string]bool)
	for _, f := range found {
		peers[f.Peer] = true
	}
	return peers
}

func strangers(c *Case) []status.Finding {
	if c.Status == nil || c.Status.Stranger == nil || c.Status.Up() {
		return nil
	}
	s := c.Status.Stranger
	return []status.Finding{{Code: status.FindingStranger, What: fmt.Sprintf("somebody calls from %s with the public key %s, which no peer has", s.From, s.PublicKey),
		Remedy: "if that is a peer, its public_key here is wrong: `fathom pubkey` on the peer prints the right one"}}
}

func deadMapping(c *Case) (found []status.Finding) {
	for _, p := range c.peers() {
		if s := c.status(p.Name); s != nil && s.Advice != "" && !c.up(p.Name) {
			found = append(found, status.Finding{Code: status.FindingDeadMapping, Peer: p.Name, What: "the peer was up and does not answer: a NAT or firewall on the way may keep a mapping of this end's port that leads nowhere",
				Remedy: s.Advice})
		}
	}
	return found
}
