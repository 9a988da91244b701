// Package netlab is a laboratory of network namespaces: hosts, routers and
// links of the running Linux kernel, built and changed from Go while packets
// flow. Tests use it, and so does the demo; it therefore does not import package
// testing (labtest does).
//
// The standard topology, which [Lab.Routed] builds in one call:
//
//	   host a              router r              host b
//	+----------+        +------------+        +----------+
//	|     eth0 |--------| eth0  eth1 |--------| eth0     |
//	+----------+  Left  +------------+  Right +----------+
//	   10.1.0.2   .. 10.1.0.1   10.2.0.1 ..   10.2.0.2
//	   fd01::2    .. fd01::1    fd02::1  ..   fd02::2
//
// The same by hand, and what one does with it:
//
//	lab, err := netlab.New()
//	if err != nil { ... }
//	defer lab.Close()
//	a, r, b := lab.Host("a"), lab.Host("r"), lab.Host("b")
//	left := lab.Connect(a, r, netlab.LinkConfig{
//		AddrA: netlab.Prefixes("10.1.0.2/24"), AddrB: netlab.Prefixes("10.1.0.1/24")})
//	right := lab.Connect(r, b, netlab.LinkConfig{
//		AddrA: netlab.Prefixes("10.2.0.1/24"), AddrB: netlab.Prefixes("10.2.0.2/24")})
//	r.Forward()
//	a.DefaultVia(left.B.Addrs()...)
//	b.DefaultVia(right.A.Addrs()...)
//
//	right.SetMTU(1400)   // r now answers ICMP Fragmentation Needed (RFC 1191) ...
//	r.CutPTB(true)       // ... and now it does not: a black hole
//	r.DropLonger(1300)   // a silent one, to the byte, that no MTU tells of
//	r.ClearDF(true)      // a middlebox that fragments what must not be
//	r.Masquerade(right.A)
//
// Kernels often lack netem, so delay, jitter, loss, reordering, duplication
// and a bottleneck with a bounded queue are made by [Lab.UserLink]: two TUN
// devices joined by a scheduler in this process.
//
//	host a                     this process                      host b
//	[tun] -> read -> filter -> MTU, loss, rate, delay -> write -> [tun]   (AtoB)
//	[tun] <- write <- delay, rate, loss, MTU <- filter <- read <- [tun]   (BtoA)
//
// It is also a bundle of lines of different MTUs, each of which carries the next
// packet, and it tells senders of its MTU or not.
//
// # Errors
//
// A laboratory is a script: when one step fails, those after it mean nothing.
// Methods that build or change the laboratory therefore return no error. They
// hand an [*Error] to the function given by [OnFailure] (labtest gives
// testing.TB.Fatal), and without one they panic with it; [Catch] turns that
// panic back into an error where one is wanted. What may fail for reasons of
// its own (Do, Dial, Listen, a command) returns an error as usual.
//
// # Privileges
//
// Root is enough, and so is an ordinary user in a user namespace of his own:
// [Main] in TestMain (or [EnterUserNamespace]) re-executes the program there,
// so that "go test ./..." needs no root. [Available] tries everything and says
// what is missing and how to get it. File descriptors alone hold the laboratory:
// it makes no name in /run/netns and no device in the namespace that the program
// started in, and a crash leaves nothing behind.
//
// The laboratory knows nothing about tunnels; the tests in the folder above do.
package netlab
