package doctor

import (
	"fmt"

	"fathom/conf"
	"fathom/tunnel/status"
)

// This file holds the checks of what the kernel gives the tunnel.

func tunDevice(c *Case) []status.Finding {
	if c.Host.NoTUN == "" {
		return nil
	}
	return []status.Finding{{Code: status.FindingNoTUN, What: "the TUN device cannot be opened: " + c.Host.NoTUN,
		Remedy: "load the kernel module tun (`modprobe tun`); in a container, give it /dev/net/tun (`--device /dev/net/tun`)"}}
}

func capability(c *Case) []status.Finding {
	if !c.Host.NoCapability || c.Status != nil || c.Silent {
		return nil // a tunnel that runs has it
	}
	return []status.Finding{{Code: status.FindingNoCapability, What: "this user does not have CAP_NET_ADMIN here, so `fathom up` cannot make the device",
		Remedy: "run as root, or as the service, whose unit gives it (AmbientCapabilities=CAP_NET_ADMIN); in a container, `--cap-add NET_ADMIN`"}}
}

func portInUse(c *Case) []status.Finding {
	if c.Host.PortHolder == "" || c.Silent { // it is the tunnel that has it, most likely
		return nil
	}
	return []status.Finding{{Code: status.FindingPortInUse, What: fmt.Sprintf("UDP port %d is in use", c.Config.Tunnel.ListenPort), Remedy: c.Host.PortHolder}}
}

func offload(c *Case) []status.Finding {
	lacks := c.Host.NoOffload
	if s := c.Status; s != nil {
		lacks = !s.Offload.UDPSegment && !s.Offload.UDPGRO
	}
	if !lacks || c.Config.Tunnel.Offload == conf.OffloadOff {
		return nil
	}
	return []status.Finding{{Code: status.FindingNoOffload, What: "the kernel neither cuts outgoing datagrams (UDP_SEGMENT) nor joins arriving ones (UDP_GRO): packets go one by one, several times as slow",
		Remedy: "use Linux 5.0 or newer, and a network card whose driver does checksums (`ethtool -k`)"}}
}

func receiveBuffer(c *Case) []status.Finding {
	got := c.Host.ReceiveBuffer
	if c.Status != nil {
		got = c.Status.Offload.ReceiveBuffer
	}
	if got == 0 || got >= c.Host.WantedBuffer/2 {
		return nil
	}
	return []status.Finding{{Code: status.FindingSmallBuffer, What: fmt.Sprintf("the sockets get a receive buffer of %d bytes, so bursts may be lost", got),
		Remedy: fmt.Sprintf("run the tunnel with CAP_NET_ADMIN, or `sysctl -w net.core.rmem_max=%d` and start it again", c.Host.WantedBuffer)}}
}
