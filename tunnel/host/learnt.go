package host

import "net/netip"

// maxWaysKept bounds the ways that are remembered until Forget.
const maxWaysKept = 1 << 13

// wayKey is what the ways by an uplink to a place depend on.
type wayKey struct {
	uplink         string
	listen, remote netip.AddrPort
}

// egressDevice is an interface by which datagrams leave.
type egressDevice struct {
	name string
	mtu  int // in bytes
}

// learnt holds the answers that the look-ups of many ways have in common: the
// packets to thousands of peers leave by the same few interfaces, and from the same
// few addresses. The zero value is empty.
type learnt struct {
	local   map[netip.Addr]bool  // whether the host has an address
	devices map[int]egressDevice // by the index of the interface
	// For Ways, by name and by what they depend on.
	uplinks map[string]*uplinkState
	ways    map[wayKey][]Way
	// rpFilters holds the sysctl rp_filter of interfaces, by their names.
	rpFilters map[string]int
	// answers holds by which interface places are answered.
	answers map[answer]int
}

// answer is from one of our addresses to a place.
type answer struct {
	remote netip.AddrPort
	local  netip.Addr
}

// keep takes note of the ways by an uplink to a place. When there are very many, it
// begins anew.
func (k *learnt) keep(key wayKey, ways []Way) {
	if k.ways == nil || len(k.ways) >= maxWaysKept {
		k.ways, k.local, k.answers = make(map[wayKey][]Way), nil, nil
	}
	k.ways[key] = ways
}

// isLocal tells whether the host has an address. It asks the first time.
func (k *learnt) isLocal(addr netip.Addr, ask func(netip.Addr) bool) bool {
	local, known := k.local[addr]
	if known {
		return local
	}
	if k.local == nil {
		k.local = make(map[netip.Addr]bool)
	}
	local = ask(addr)
	k.local[addr] = local
	return local
}

// device returns what an interface is. It asks the first time.
func (k *learnt) device(index int, ask func(index int) (egressDevice, error)) (egressDevice, error) {
	if d, known := k.devices[index]; known {
		return d, nil
	}
	d, err := ask(index)
	if err != nil {
		return egressDevice{}, err
	}
	if k.devices == nil {
		k.devices = make(map[int]egressDevice)
	}
	k.devices[index] = d
	return d, nil
}
