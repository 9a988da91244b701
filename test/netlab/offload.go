//go:build linux

package netlab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offloads are the features, by their names in ethtool -k, that let a packet
// on a link differ from one on a wire. A kernel may lack some.
var offloads = []string{
	"tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation",
	"tx-tcp6-segmentation", "tx-udp-segmentation", "tx-sctp-segmentation",
	"tx-gso-list", "tx-generic-segmentation",
	"rx-gro", "rx-gro-list", "rx-udp-gro-forwarding",
	"tx-checksum-ip-generic", "tx-checksum-ipv4", "tx-checksum-ipv6",
}

// offloadsOn are those of offloads that a kernel has on by itself.
var offloadsOn = []string{
	"tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation",
	"tx-tcp6-segmentation", "tx-udp-segmentation", "tx-sctp-segmentation",
	"tx-generic-segmentation", "rx-gro", "tx-checksum-ip-generic",
}

// SetOffload turns segmentation (TSO, USO, GSO), receive coalescing (GRO) and
// checksum offload on or off. Features that the device cannot change are left
// as they are. With names, as ethtool -k prints them, only those are changed.
func (i *Interface) SetOffload(on bool, names ...string) {
	if len(names) == 0 {
		names = offloads
		if on {
			names = offloadsOn
		}
	}
	err := i.host.Do(func() error { return setFeatures(i.name, on, names) })
	i.host.check(fmt.Sprintf("set offload of %s to %v", i.name, on), err)
}

// setFeatures is called inside the namespace.
func setFeatures(ifname string, on bool, names []string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	all, err := featureNames(fd, ifname)
	if err != nil {
		return err
	}

	// struct ethtool_sfeatures: cmd, size in words, then {valid, requested}
	// for each 32 features.
	words := (len(all) + 31) / 32
	request := make([]byte, 8+8*words)
	binary.NativeEndian.PutUint32(request[0:], unix.ETHTOOL_SFEATURES)
	binary.NativeEndian.PutUint32(request[4:], uint32(words))
	set := func(at, bit int) {
		b := request[at:]
		binary.NativeEndian.PutUint32(b, binary.NativeEndian.Uint32(b)|1<<bit)
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	for n, name := range all {
		if !wanted[name] {
			continue
		}
		at := 8 + 8*(n/32)
		set(at, n%32)
		if on {
			set(at+4, n%32)
		}
	}
	return ethtool(fd, ifname, request)
}

// featureNames asks for the names of all features, in the order of their bits.
func featureNames(fd int, ifname string) ([]string, error) {
	// struct ethtool_sset_info: cmd, reserved, mask (64 bits), one count.
	info := make([]byte, 20)
	binary.NativeEndian.PutUint32(info, unix.ETHTOOL_GSSET_INFO)
	binary.NativeEndian.PutUint64(info[8:], 1<<stringSetFeatures)
	if err := ethtool(fd, ifname, info); err != nil {
		return nil, err
	}
	count := int(binary.NativeEndian.Uint32(info[16:]))

	// struct ethtool_gstrings: cmd, set, count, then the strings.
	list := make([]byte, 12+count*featureNameLength)
	binary.NativeEndian.PutUint32(list[0:], unix.ETHTOOL_GSTRINGS)
	binary.NativeEndian.PutUint32(list[4:], stringSetFeatures)
	binary.NativeEndian.PutUint32(list[8:], uint32(count))
	if err := ethtool(fd, ifname, list); err != nil {
		return nil, err
	}
	names := make([]string, count)
	for n := range names {
		text := list[12+n*featureNameLength:][:featureNameLength]
		text, _, _ = bytes.Cut(text, []byte{0})
		names[n] = strings.TrimSpace(string(text))
	}
	return names, nil
}

// stringSetFeatures is ETH_SS_FEATURES of linux/ethtool.h.
const stringSetFeatures = 4

// featureNameLength is ETH_GSTRING_LEN.
const featureNameLength = 32

// ethtool makes an SIOCETHTOOL call; data is read and written by the kernel.
func ethtool(fd int, ifname string, data []byte) error {
	// struct ifreq with a pointer in its union.
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], ifname)
	var pin runtime.Pinner
	pin.Pin(&data[0])
	defer pin.Unpin()
	request.data = unsafe.Pointer(&data[0])
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return fmt.Errorf("SIOCETHTOOL on %s: %w", ifname, errno)
	}
	return nil
}
