// Package inspect looks at the host on which a tunnel runs, or is to run, for package
// doctor. It only reads: it asks the kernel by netlink, reads proc(5), looks up names, and
// sends one NAT keepalive, which tunnels drop, to each place of a peer that is not up. What
// it cannot look at it names.
package inspect
