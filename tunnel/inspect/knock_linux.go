package inspect

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"fathom/tunnel/doctor"
	"fathom/tunnel/status"
)

// knockFor is how long an answer is awaited: routers answer within a round trip.
const knockFor = time.Second

// maxKnocks bounds how many places are tried at once.
const maxKnocks = 64

// keepaliveByte is a NAT keepalive (RFC 3948 section 2.3), which receivers drop.
const keepaliveByte = 0xff

// knock sends one keepalive to each place of a peer that is not up, and looks what comes
// back: a closed port and a firewall that refuses are told by ICMP.
func (i *inspection) knock(ctx context.Context) {
	var knocks sync.WaitGroup
	places := slices.DeleteFunc(slices.Clone(i.places), func(p place) bool { return i.up(p.peer) })
	if left := len(places) - maxKnocks; left > 0 {
		i.cannot(fmt.Sprintf("whether %d more places of peers refuse packets", left), errors.New("too many at once: name a peer"))
		places = places[:maxKnocks]
	}
	results := make([]doctor.Knock, len(places))
	for n, p := range places {
		knocks.Go(func() { results[n] = knockAt(ctx, p, i.mark()) })
	}
	knocks.Wait()
	i.seen.Knocks = results
}

func (i *inspection) up(peer string) bool {
	return i.status != nil && slices.ContainsFunc(i.status.Peers, func(p status.Peer) bool { return p.Name == peer && p.State == status.PeerEstablished })
}

func knockAt(ctx context.Context, p place, mark uint32) doctor.Knock {
	k := knocked{doctor.Knock{Peer: p.peer, To: p.at}}
	family, level, option := unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVERR
	if p.at.Addr().Is6() {
		family, level, option = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return k.Knock
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptInt(fd, level, option, 1)
	if mark != 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark))
	}
	err = unix.Sendto(fd, []byte{keepaliveByte}, 0, sockaddr(p.at))
	if errors.Is(err, unix.EPERM) {
		k.Result, k.Problem = doctor.NotSent, err.Error()
	}
	if err != nil {
		return k.Knock // a missing route is told elsewhere
	}
	for end := time.Now().Add(knockFor); ctx.Err() == nil; {
		left := time.Until(end)
		if left <= 0 {
			break
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: 0}}, int(min(left, 100*time.Millisecond)/time.Millisecond)+1)
		if n <= 0 || err != nil {
			continue
		}
		if k.answered(fd) {
			break
		}
	}
	return k.Knock
}

func sockaddr(at netip.AddrPort) unix.Sockaddr {
	if at.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16(), ZoneId: zone(at.Addr())}
	}
	return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
}
