package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// importWGQuick reads a file of wg-quick(8). Its errors name no value, which may be a
// key.
func importWGQuick(text string) (*imported, error) {
	i := new(imported)
	var section string
	var peer *importedPeer
	var comment string // of the line before, which often names a peer
	var allowed []string
	endPeer := func() {
		if peer != nil {
			peer.add("allowed_ips", stringList(allowed))
		}
		peer, allowed = nil, nil
	}
	var addresses []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, remark, _ := strings.Cut(line, "#")
		line, remark = strings.TrimSpace(line), strings.TrimSpace(remark)
		if line == "" {
			comment = remark
			continue
		}
		if strings.HasPrefix(line, "[") {
			endPeer()
			section = strings.ToLower(line)
			switch section {
			case "[interface]":
			case "[peer]":
				peer = &importedPeer{name: i.peerName(comment)}
				i.peers = append(i.peers, peer)
			default:
				return nil, fmt.Errorf("line %d: neither [Interface] nor [Peer]", number)
			}
			comment = ""
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || section == "" {
			return nil, fmt.Errorf("line %d: this is no file of wg-quick", number)
		}
		var err error
		switch word := strings.ToLower(key); {
		case peer == nil && word == "address":
			addresses = append(addresses, wgAddresses(value)...)
		case peer == nil:
			err = i.wgInterface(number, key, value)
		case word == "allowedips":
			for part := range strings.SplitSeq(value, ",") {
				prefix, parseErr := parsePrefix(part)
				if parseErr != nil {
					err = parseErr
					break
				}
				allowed = append(allowed, prefix.Masked().String())
			}
		default:
			err = i.wgPeer(peer, number, key, value)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", number, key, err)
		}
	}
	endPeer()
	if section == "" {
		return nil, fmt.Errorf("neither a file of wg-quick nor a swanctl.conf")
	}
	if len(addresses) == 0 {
		i.missing = append(i.missing, "tunnel.address: the addresses of this host inside the tunnel")
	}
	i.tunnel.add("address", stringList(addresses))
	return i, nil
}

// wgInterface takes a key of [Interface].
func (i *imported) wgInterface(line int, key, value string) error {
	switch strings.ToLower(key) {
	case "privatekey":
		i.private = value
	case "listenport":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return fmt.Errorf("not a port")
		}
		i.tunnel.add("listen", fmt.Sprintf("%q", fmt.Sprint(":", port)))
	case "fwmark":
		mark, err := strconv.ParseUint(value, 0, 32)
		if err != nil && value != "off" {
			return fmt.Errorf("not a mark")
		}
		if mark != 0 {
			i.tunnel.add("fwmark", fmt.Sprint(mark))
		}
	case "table":
		table, err := strconv.ParseUint(value, 10, 31)
		switch {
		case value == "auto":
		case value == "off":
			i.tunnel.add("routes", "false")
		case err == nil && table > 0:
			i.tunnel.add("table", fmt.Sprint(table))
		default:
			i.lose(line, key, "the table needs a number here")
		}
	case "mtu":
		i.lose(line, key, "the MTU follows the path by itself")
	default:
		i.lose(line, key, "not known here")
	}
	return nil
}

// wgPeer takes a key of [Peer].
func (i *imported) wgPeer(p *importedPeer, line int, key, value string) error {
	switch strings.ToLower(key) {
	case "publickey":
		p.add("public_key", fmt.Sprintf("%q", value))
	case "presharedkey":
		p.preshared = value
	case "endpoint":
		p.add("endpoint", fmt.Sprintf("%q", value))
	case "persistentkeepalive":
		seconds, err := strconv.ParseUint(value, 10, 16)
		if err != nil && value != "off" {
			return fmt.Errorf("not a number of seconds")
		}
		if seconds != 0 {
			p.add("keepalive", fmt.Sprintf("%q", fmt.Sprint(seconds, "s")))
		}
	default:
		i.lose(line, key, "not known here")
	}
	return nil
}

// peerName returns a name for the next peer: the comment, if it is one word that can
// be a name and is not taken.
func (i *imported) peerName(comment string) string {
	taken := func(name string) bool {
		for _, p := range i.peers {
			if p.name == name {
				return true
			}
		}
		return false
	}
	if name := notInName.ReplaceAllString(comment, ""); name == comment && name != "" && len(name) <= 32 && !taken(name) {
		return name
	}
	for n := len(i.peers) + 1; ; n++ {
		if name := fmt.Sprint("peer", n); !taken(name) {
			return name
		}
	}
}

// wgAddresses splits a list of addresses; one without a length stands for itself.
func wgAddresses(value string) (list []string) {
	for part := range strings.SplitSeq(value, ",") {
		if prefix, err := parsePrefix(part); err == nil {
			part = prefix.String()
		}
		list = append(list, strings.TrimSpace(part))
	}
	return list
}

// parsePrefix reads a prefix, or an address, which is one of full length.
func parsePrefix(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return prefix, fmt.Errorf("not a prefix")
	}
	return prefix, nil
}
