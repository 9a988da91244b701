package doctor

import "fathom/tunnel/status"

// checks are all of them, in the order in which an operator acts on what they find.
var checks = []func(c *Case) []status.Finding{
	tunDevice, capability, portInUse, offload, receiveBuffer,
	names, ways, reversePath, knocks, firewallIn, policies, mssRules, unanswered, strangers,
	deadMapping, keepalive,
	addressCollides, networkCollides, sameAddress, allowedIPs, forwarding, notRouted,
	clearsDF, mtuByDirection, clocks,
}

// Judge returns what is amiss, never nil.
func Judge(c *Case) []status.Finding {
	findings := []status.Finding{}
	for _, check := range checks {
		findings = append(findings, check(c)...)
	}
	return findings
}
