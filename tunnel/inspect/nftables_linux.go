package inspect

import (
	"fmt"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"fathom/tunnel/doctor"
)

// chains lists the chains of nftables that concern a tunnel. The rules of iptables are
// among them, unless iptables is the legacy one.
func (i *inspection) chains() {
	if tables := legacyTables(); len(tables) > 0 {
		i.cannot("the rules of legacy iptables", fmt.Errorf("there are tables: %s; `iptables-legacy-save` shows them", strings.Join(tables, ", ")))
	}
	conn, err := nftables.New()
	if err != nil {
		i.cannot("the firewall", err)
		return
	}
	chains, err := conn.ListChains()
	if err != nil {
		i.cannot("the firewall", err)
		return
	}
	tunnel := device{name: i.config.Tunnel.Name}
	if link, err := netlink.LinkByName(tunnel.name); err == nil {
		tunnel.index = uint32(link.Attrs().Index)
	}
	tables := make(map[string]*ruleset)
	for _, c := range chains {
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			i.cannot("chain "+c.Name+" of the firewall", err)
			continue
		}
		table := tables[tableOf(c)]
		if table == nil {
			table = &ruleset{chains: make(map[string][]*nftables.Rule), set: setsOf(conn, c.Table), port: i.config.Tunnel.ListenPort}
			tables[tableOf(c)] = table
		}
		table.chains[c.Name] = rules
	}
	for _, c := range chains {
		table := tables[tableOf(c)]
		if table == nil {
			continue
		}
		one := doctor.Chain{Where: "chain " + c.Name + " of table " + tableOf(c), Family: versions[c.Table.Family]}
		for _, r := range table.chains[c.Name] {
			one.SetsMSS = one.SetsMSS || setsMSS(r.Exprs, tunnel)
		}
		one.DropsPort = comesIn(c) && table.drops(c)
		if one.SetsMSS || one.DropsPort {
			i.seen.Chains = append(i.seen.Chains, one)
		}
	}
}

// tableOf returns the name of a chain's table, with its family.
func tableOf(c *nftables.Chain) string { return families[c.Table.Family] + " " + c.Table.Name }

// setsOf returns the function that reads the sets of a table, each once.
func setsOf(conn *nftables.Conn, table *nftables.Table) func(name string) ([]nftables.SetElement, bool) {
	known := make(map[string][]nftables.SetElement)
	return func(name string) ([]nftables.SetElement, bool) {
		elements, ok := known[name]
		if !ok {
			var err error
			if elements, err = conn.GetSetElements(&nftables.Set{Table: table, Name: name}); err != nil {
				return nil, false
			}
			known[name] = elements
		}
		return elements, true
	}
}

var versions = map[nftables.TableFamily]doctor.Family{nftables.TableFamilyIPv4: doctor.IPv4, nftables.TableFamilyIPv6: doctor.IPv6}

var families = map[nftables.TableFamily]string{
	nftables.TableFamilyINet: "inet", nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
	nftables.TableFamilyARP: "arp", nftables.TableFamilyNetdev: "netdev", nftables.TableFamilyBridge: "bridge",
}

// legacyTables returns the tables of legacy iptables that are loaded. To ask for others
// would load them.
func legacyTables() (tables []string) {
	for _, file := range []string{"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"} {
		if names, err := os.ReadFile(file); err == nil {
			tables = append(tables, strings.Fields(string(names))...)
		}
	}
	return tables
}

// comesIn reports whether a chain sees what is sent to this host.
func comesIn(c *nftables.Chain) bool {
	switch c.Table.Family {
	case nftables.TableFamilyINet, nftables.TableFamilyIPv4, nftables.TableFamilyIPv6:
	default:
		return false
	}
	return c.Type == nftables.ChainTypeFilter && c.Hooknum != nil &&
		(*c.Hooknum == *nftables.ChainHookInput || *c.Hooknum == *nftables.ChainHookPrerouting)
}
