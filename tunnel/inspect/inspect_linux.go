package inspect

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fathom/conf"
	"fathom/tunnel/doctor"
	"fathom/tunnel/host"
	"fathom/tunnel/status"
	"fathom/tunnel/udp"
)

// inspection is one look at the host.
type inspection struct {
	config     *conf.Config
	status     *status.Status // nil: the tunnel does not run
	seen       doctor.Host
	unexamined []status.Unexamined
	places     []place
}

// Host looks at the host of a tunnel, whose status is nil if it does not run. It takes a
// few seconds at most.
func Host(ctx context.Context, config *conf.Config, s *status.Status) (doctor.Host, []status.Unexamined) {
	i := &inspection{config: config, status: s, seen: doctor.Host{WantedBuffer: udp.DefaultReceiveBuffer}}
	i.kernel()
	i.interfaces()
	i.findPlaces(ctx)
	i.ways()
	i.returns()
	i.routes()
	i.knock(ctx)
	i.policies()
	i.chains()
	return i.seen, i.unexamined
}

// cannot takes note of what could not be looked at.
func (i *inspection) cannot(what string, err error) {
	why := err.Error()
	if errors.Is(err, os.ErrPermission) {
		why = "it takes CAP_NET_ADMIN: run as root"
	}
	i.unexamined = append(i.unexamined, status.Unexamined{What: what, Why: why})
}

// kernel looks at what the kernel gives a tunnel.
func (i *inspection) kernel() {
	if fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		i.seen.NoTUN = fmt.Sprintf("/dev/net/tun: %v", err)
	} else {
		unix.Close(fd) // without TUNSETIFF there is no device
	}
	if has, err := hasNetAdmin(); err != nil {
		i.cannot("capabilities", err)
	} else {
		i.seen.NoCapability = !has
	}
	if offer, err := udp.Offer(); err != nil {
		i.cannot("sockets", err)
	} else {
		i.seen.NoOffload, i.seen.ReceiveBuffer = !offer.Segment && !offer.GRO, offer.ReceiveBuffer
	}
	if port := i.config.Tunnel.ListenPort; i.status == nil && port != 0 {
		hosts := []netip.Addr{i.config.Tunnel.ListenHost}
		if !hosts[0].IsValid() {
			hosts = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
		}
		for _, at := range hosts {
			if who, taken := udp.Holder(netip.AddrPortFrom(at, port)); taken {
				i.seen.PortHolder = who
			}
		}
	}
	i.seen.Forwards4 = sysctl("net/ipv4/ip_forward") > 0
	i.seen.Forwards6 = sysctl("net/ipv6/conf/all/forwarding") > 0
}

// hasNetAdmin reports whether this thread has CAP_NET_ADMIN.
func hasNetAdmin() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, err
	}
	return data[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0, nil
}

// sysctl returns the value of a sysctl that is a number, 0 if there is none.
func sysctl(path string) int {
	content, err := os.ReadFile("/proc/sys/" + path)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	return n
}

func (i *inspection) interfaces() {
	links, err := netlink.LinkList()
	if err != nil {
		i.cannot("interfaces", err)
		return
	}
	for _, link := range links {
		name := link.Attrs().Name
		one := doctor.Interface{Name: name, RPFilter: host.RPFilter(name)}
		addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			i.cannot("addresses of "+name, err)
			continue
		}
		for _, a := range addresses {
			if addr, ok := netip.AddrFromSlice(a.IP); ok {
				bits, _ := a.Mask.Size()
				one.Addresses = append(one.Addresses, netip.PrefixFrom(addr.Unmap(), bits))
			}
		}
		i.seen.Interfaces = append(i.seen.Interfaces, one)
	}
}

// policies lists the IPsec policies that change or block packets. Those of single sockets,
// of XFRM interfaces and of marks concern nobody else.
func (i *inspection) policies() {
	list, err := netlink.XfrmPolicyList(netlink.FAMILY_ALL)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.ENOENT):
		return // a kernel without IPsec
	case err != nil:
		i.cannot("IPsec policies", err)
		return
	}
	for _, p := range list {
		bypass := p.Action == netlink.XFRM_POLICY_ALLOW && len(p.Tmpls) == 0
		if bypass || p.Dir > netlink.XFRM_DIR_FWD || p.Ifid != 0 || p.Ifindex != 0 || p.Mark != nil && p.Mark.Mask != 0 {
			continue
		}
		from, ok := prefixOf(p.Src)
		to, too := prefixOf(p.Dst)
		if !ok || !too {
			continue
		}
		i.seen.Policies = append(i.seen.Policies, doctor.Policy{Out: p.Dir == netlink.XFRM_DIR_OUT, From: from, To: to,
			Protocol: int(p.Proto), FromPort: p.SrcPort, ToPort: p.DstPort})
	}
}
