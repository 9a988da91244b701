package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"fathom/conf"
)

// section is a section of a file in the form of strongswan.conf(5).
type section struct {
	name     string
	line     int
	keys     []swanKey
	sections []*section
}

type swanKey struct {
	line        int
	name, value string
}

// find returns the section of a name below, nil if there is none.
func (s *section) find(name string) *section {
	if at := slices.IndexFunc(s.sections, func(c *section) bool { return c.name == name }); at >= 0 {
		return s.sections[at]
	}
	return nil
}

// maxSwanDepth bounds how deep sections may be nested.
const maxSwanDepth = 16

// parseSwanctl reads the sections and keys of a file. Its errors name no value, which may
// be a secret.
func parseSwanctl(text string) (*section, error) {
	root := &section{}
	open := []*section{root}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
			here, at := open[len(open)-1], strings.IndexAny(line, "={}")
			if file, ok := strings.CutPrefix(line, "include "); ok {
				here.keys = append(here.keys, swanKey{number, "include", file})
				break
			}
			switch {
			case at > 0 && line[at] == '{' && len(open) <= maxSwanDepth:
				next := &section{name: strings.TrimSpace(line[:at]), line: number}
				here.sections = append(here.sections, next)
				open, line = append(open, next), line[at+1:]
			case at == 0 && line[at] == '}' && len(open) > 1:
				open, line = open[:len(open)-1], line[1:]
			case at > 0 && line[at] == '=':
				key := swanKey{line: number, name: strings.TrimSpace(line[:at])}
				key.value, line = swanValue(line[at+1:])
				here.keys = append(here.keys, key)
			default:
				return nil, fmt.Errorf("line %d: not understood", number)
			}
		}
	}
	if len(open) > 1 {
		return nil, fmt.Errorf("line %d: a section that is not closed", open[len(open)-1].line)
	}
	return root, nil
}

// swanValue splits a line behind an equals sign into the value and the rest.
func swanValue(line string) (value, rest string) {
	line = strings.TrimSpace(line)
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		value, rest, _ = strings.Cut(quoted, `"`)
		return value, rest
	}
	end := strings.IndexByte(line, '}')
	if end < 0 {
		end = len(line)
	}
	return strings.TrimSpace(line[:end]), line[end:]
}

// importSwanctl reads a connection of a swanctl.conf(5): the named one, or the only one.
func importSwanctl(text, name string) (*imported, error) {
	root, err := parseSwanctl(text)
	if err != nil {
		return nil, err
	}
	i := new(imported)
	for _, k := range root.keys {
		i.lose(k.line, k.name, "other files are not read")
	}
	var connection *section
	if all := root.find("connections"); all != nil {
		connection = all.find(name)
		if name == "" && len(all.sections) == 1 {
			connection = all.sections[0]
		}
		if connection == nil {
			var names []string
			for _, c := range all.sections {
				names = append(names, c.name)
			}
			return nil, usageError(fmt.Errorf("%s, none of them chosen", plural(len(names), "connection")), "--connection NAME, one of %s", strings.Join(names, ", "))
		}
	}
	if connection == nil {
		return nil, fmt.Errorf("no section connections")
	}
	for _, s := range root.sections {
		if s.name != "connections" {
			i.lose(s.line, s.name, "keys take their place")
		}
	}
	p := &importedPeer{name: strings.Trim(notInName.ReplaceAllString(connection.name, "-"), "-")}
	i.peers = append(i.peers, p)
	i.swanConnection(connection, p)
	return i, nil
}

// swanConnection takes the keys of a connection and of its children.
func (i *imported) swanConnection(connection *section, p *importedPeer) {
	var endpoints, addresses, allowed []string
	for _, k := range connection.keys {
		switch k.name {
		case "remote_addrs":
			for _, host := range splitList(k.value) {
				if strings.HasPrefix(host, "%") || strings.Contains(host, "/") {
					i.lose(k.line, k.name, "a peer without an address calls this host")
				} else {
					endpoints = append(endpoints, net.JoinHostPort(host, fmt.Sprint(conf.DefaultPort)))
				}
			}
		case "local_addrs":
			if addr, err := netip.ParseAddr(k.value); err == nil {
				i.tunnel.add("listen", fmt.Sprintf("%q", netip.AddrPortFrom(addr, conf.DefaultPort)))
			} else if k.value != "%any" {
				i.lose(k.line, k.name, "one address, or all of them")
			}
		case "vips":
			for _, vip := range splitList(k.value) {
				if addr, err := netip.ParseAddr(vip); err == nil && !addr.IsUnspecified() {
					addresses = append(addresses, netip.PrefixFrom(addr, addr.BitLen()).String())
				} else {
					i.lose(k.line, k.name, "addresses are not handed out: each end has its own")
				}
			}
		default:
			i.lose(k.line, k.name, "not known here")
		}
	}
	var ciphers []string
	var rekey time.Duration
	for _, s := range connection.sections {
		if s.name != "children" {
			i.lose(s.line, s.name, "the ends know each other by their public keys")
			continue
		}
		for _, child := range s.sections {
			for _, k := range child.keys {
				switch k.name {
				case "remote_ts":
					for _, ts := range splitList(k.value) {
						if prefix, err := parsePrefix(ts); err == nil {
							allowed = append(allowed, prefix.Masked().String())
						} else {
							i.lose(k.line, k.name, "a prefix, without a protocol or a port")
						}
					}
				case "esp_proposals":
					ciphers = append(ciphers, i.swanCiphers(k)...)
				case "rekey_time":
					if rekey = swanDuration(k.value); rekey < time.Second || rekey > time.Hour {
						rekey = 0
						i.lose(k.line, k.name, "rekey_after goes from a second to an hour")
					}
				default:
					i.lose(k.line, k.name, "not known here")
				}
			}
		}
	}
	if len(addresses) == 0 {
		addresses = []string{"10.77.0.1/24"}
		i.missing = append(i.missing, "tunnel.address: 10.77.0.1/24 is a guess, since IPsec needs no addresses in the tunnel; the other end gets another one, and that stands in allowed_ips here")
	}
	i.tunnel.add("address", stringList(addresses))
	slices.Sort(ciphers) // in Fathom's order, too
	if ciphers = slices.Compact(ciphers); len(ciphers) > 0 {
		i.tunnel.add("ciphers", stringList(ciphers))
	}
	if rekey > 0 {
		i.tunnel.add("rekey_after", fmt.Sprintf("%q", fmt.Sprint(int(rekey/time.Second), "s")))
	}
	p.add("public_key", `"PUT THE PEER'S PUBLIC KEY HERE"`)
	if len(endpoints) > 0 {
		p.add("endpoint", stringList(endpoints))
	}
	p.add("allowed_ips", stringList(allowed))
	i.missing = append(i.missing, "peer.public_key: `fathom init` or `fathom import` prints it on the other end")
}

// swanCiphers returns the ciphers of Fathom in a list of proposals.
func (i *imported) swanCiphers(k swanKey) (list []string) {
	for _, proposal := range splitList(k.value) {
		switch {
		case strings.HasPrefix(proposal, "aes256gcm"):
			list = append(list, "aes-256-gcm")
		case strings.HasPrefix(proposal, "chacha20poly1305"):
			list = append(list, "chacha20-poly1305")
		case proposal != "default":
			i.lose(k.line, k.name, "AES-256-GCM and ChaCha20-Poly1305 alone")
		}
	}
	return list
}

// splitList splits a list with commas.
func splitList(value string) (list []string) {
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// swanDuration reads a number of seconds, or one with a unit; 0: it is none.
func swanDuration(value string) time.Duration {
	if days, ok := strings.CutSuffix(value, "d"); ok {
		d, _ := time.ParseDuration(days + "h")
		return 24 * d
	}
	if !strings.ContainsAny(value, "smh") {
		value += "s"
	}
	d, _ := time.ParseDuration(value)
	return d
}
