package conf

// counterparts answer for words of wg-quick(8) and swanctl.conf(5) that are no
// keys here: they say which key does it in Fathom, or how to do without one.
// Words that differ from a key in case and separators alone are not listed.
var counterparts = []struct {
	words  []string
	answer string
}{
	{[]string{"private_key"}, "here: private_key_file, which names a file that holds it; replace a key that others could read in this one"},
	{[]string{"preshared_key"}, "here: preshared_key_file, which names a file that holds it; replace a key that others could read in this one"},
	{[]string{"listen_port", "local_port", "local_addrs"}, `here: listen in [tunnel], as in listen = ":4500"`},
	{[]string{"persistent_keepalive"}, `here: keepalive in [[peer]], as in keepalive = "25s"`},
	{[]string{"mtu"}, "no counterpart: the MTU is discovered, and plpmtu in [[peer]] fixes the size of outer packets"},
	{[]string{"fwmark", "mark_in", "mark_out", "set_mark_in", "set_mark_out"}, "no counterpart: outer packets bear no mark, but a rule can tell them by their port, as in ip rule add ipproto udp sport 4500 lookup main"},
	{[]string{"table"}, "no counterpart: routes are added to the main table; with routes = false you add them where you like"},
	{[]string{"dns"}, "no counterpart: tell the host's resolver, such as with resolvectl dns"},
	{[]string{"pre_up", "post_up", "pre_down", "post_down", "updown"}, "no counterpart: commands belong into the unit that starts Fathom, as ExecStartPre= and ExecStopPost="},
	{[]string{"save_config"}, "no counterpart: Fathom does not write this file"},
	{[]string{"remote_addrs", "remote_port"}, `here: endpoint in [[peer]], as in endpoint = "192.0.2.1:4500"`},
	{[]string{"remote_ts"}, "here: allowed_ips in [[peer]]"},
	{[]string{"local_ts"}, "no counterpart: what is behind this end stands in the other end's allowed_ips"},
	{[]string{"esp_proposals"}, "here: ciphers in [tunnel]"},
	{[]string{"proposals", "ah_proposals"}, "no counterpart: the handshake has one set of algorithms; ciphers in [tunnel] has those of packets"},
	{[]string{"rekey_time", "life_time"}, "here: rekey_after in [tunnel]"},
	{[]string{"rekey_packets", "life_packets"}, "here: rekey_after_packets in [tunnel]"},
	{[]string{"rekey_bytes", "life_bytes"}, "no counterpart: rekey_after_packets in [tunnel] counts packets"},
	{[]string{"dpd_delay", "dpd_timeout", "dpd_action"}, "no counterpart: a peer that falls silent is always noticed; keepalive is for NATs"},
	{[]string{"start_action", "close_action"}, "no counterpart: a peer with an endpoint is called at the start, and again when it is lost"},
	{[]string{"mode", "encap", "mobike", "version"}, "no counterpart: packets are always ESP in UDP in tunnel mode, and a peer that moves is followed"},
	{[]string{"copy_df"}, "here: outer_df in [tunnel]"},
	{[]string{"copy_dscp"}, "here: dscp in [tunnel]"},
	{[]string{"copy_ecn"}, "here: ecn in [tunnel]"},
	{[]string{"hw_offload"}, "here: offload in [tunnel]"},
	{[]string{"vips", "pools"}, "here: address in [tunnel]"},
	{[]string{"interface"}, "did you mean [tunnel]?"},
	{[]string{"connections", "children"}, "did you mean [[peer]]?"},
}

// counterpart returns the answer for a word, empty if it is of neither.
func counterpart(word string) string {
	for _, c := range counterparts {
		for _, w := range c.words {
			if plainWord(w) == plainWord(word) {
				return c.answer
			}
		}
	}
	return ""
}
