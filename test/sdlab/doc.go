// Package sdlab boots a real systemd as PID 1, in namespaces of its own, over a
// throw-away overlay of a root directory, and runs a script in it as a service. That
// takes half a second, no virtual machine and no KVM:
//
//	result, err := sdlab.Run(ctx, sdlab.Config{Script: "systemctl status", Files: dir})
//
// The script sees a booted machine: units, journal, users, a network, /dev/net/tun.
// Whatever it changes is gone afterwards. Several systems can be the hosts of one
// network: Config.Inside.
// Missing are what belongs to the kernel: modules, sysctls outside of net, a reboot.
//
// Run starts this program again, inside; so TestMain, or main, has to call [Main].
// Root, cgroup2 and overlayfs are needed: [Available].
package sdlab
