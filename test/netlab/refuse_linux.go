package netlab

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Refusal is a set of features that a kernel does not offer.
type Refusal uint

const (
	UDPSegment    Refusal = 1 << iota // the socket option: one buffer becomes many datagrams
	UDPGRO                            // the socket option: many datagrams become one buffer
	SocketBuffers                     // the socket options: another size of the buffers than the default
	TUNUSO                            // TUNSETOFFLOAD with USO: superpackets of UDP

	// UDPOffloads are those of UDP that kernels before 4.18, 5.0 and 6.2 lack.
	UDPOffloads = UDPSegment | UDPGRO | TUNUSO
)

// Refusing returns the host as one whose kernel offers less: a system call filter
// tells so the processes that Command starts there, and their descendants. The
// rest of the host is the same, and so are the sockets that this process opens
// there. Change the host by the original alone.
//
// A program that hands the kernel a control message with UDP_SEGMENT without
// asking first still gets it: filters do not see messages.
func (h *Host) Refusing(what Refusal) *Host {
	// A thread cannot take off a filter, and children inherit that of the thread
	// which starts them. Hence an annex to the laboratory with its own thread.
	l := h.lab
	annex := &Lab{fail: l.fail, spawn: make(chan spawnJob)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if annex.closed = l.closed; !annex.closed {
		go refusingSpawner(what, annex.spawn)
		l.closers = append(l.closers, annex)
	}
	return &Host{lab: annex, name: h.name, ns: h.ns, nl: h.nl, id: h.id}
}

// refusingSpawner is a spawner with a filter on its thread.
func refusingSpawner(what Refusal, jobs <-chan spawnJob) {
	runtime.LockOSThread() // for good: no other goroutine may get the thread
	err := what.install()
	for job := range jobs {
		if err != nil {
			job.err <- err
			continue
		}
		job.err <- startInside(job.cmd)
	}
}

// install filters the system calls of the calling thread.
func (what Refusal) install() error {
	program, err := what.program()
	if err != nil {
		return err
	}
	// Without this only root may filter: a filter could fool a set-user-ID program.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("PR_SET_NO_NEW_PRIVS", err)
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&f)))
	if errno != 0 {
		return &MissingError{What: "system call filter", Err: errno, Hint: "the kernel needs CONFIG_SECCOMP_FILTER"}
	}
	return nil
}

// refusedCall is a system call, what its arguments must be, and the answer.
type refusedCall struct {
	number uint32
	tests  []argumentTest
	answer unix.Errno
}

// argumentTest looks at the low half of an argument; all that are tested here
// are ints, or bits of that half.
type argumentTest struct {
	argument uint32
	jump     uint16 // BPF_JEQ: the value, BPF_JSET: any of its bits
	value    uint32
}

func (what Refusal) calls() (calls []refusedCall) {
	option := func(name uint32) {
		for _, number := range []uint32{unix.SYS_GETSOCKOPT, unix.SYS_SETSOCKOPT} {
			calls = append(calls, refusedCall{number, []argumentTest{
				{1, unix.BPF_JEQ, unix.IPPROTO_UDP}, {2, unix.BPF_JEQ, name},
			}, unix.ENOPROTOOPT})
		}
	}
	if what&UDPSegment != 0 {
		option(unix.UDP_SEGMENT)
	}
	if what&UDPGRO != 0 {
		option(unix.UDP_GRO)
	}
	if what&SocketBuffers != 0 {
		for _, name := range []uint32{unix.SO_RCVBUF, unix.SO_RCVBUFFORCE, unix.SO_SNDBUF, unix.SO_SNDBUFFORCE} {
			calls = append(calls, refusedCall{unix.SYS_SETSOCKOPT, []argumentTest{
				{1, unix.BPF_JEQ, unix.SOL_SOCKET}, {2, unix.BPF_JEQ, name},
			}, unix.EPERM})
		}
	}
	if what&TUNUSO != 0 {
		calls = append(calls, refusedCall{unix.SYS_IOCTL, []argumentTest{
			{1, unix.BPF_JEQ, unix.TUNSETOFFLOAD}, {2, unix.BPF_JSET, unix.TUN_F_USO4 | unix.TUN_F_USO6},
		}, unix.EINVAL})
	}
	return calls
}

// Offsets in struct seccomp_data of linux/seccomp.h.
const (
	callNumber    = 0
	callArch      = 4
	callArguments = 16 // 64 bits each, the low half first
)

// program is the filter in classic BPF: one block a call, which falls through
// to its answer and else jumps to the next.
func (what Refusal) program() ([]unix.SockFilter, error) {
	arch, ok := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("netlab: no system call filter for %s", runtime.GOARCH)
	}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	answer := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	// Programs for another architecture have other numbers.
	program := []unix.SockFilter{
		load(callArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jt: 1},
		answer(unix.SECCOMP_RET_ALLOW),
	}
	for _, c := range what.calls() {
		left := uint8(2*len(c.tests) + 1) // of the block after its first jump
		program = append(program, load(callNumber), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: c.number, Jf: left})
		for _, t := range c.tests {
			left -= 2
			program = append(program, load(callArguments+8*t.argument), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | t.jump, K: t.value, Jf: left})
		}
		program = append(program, answer(unix.SECCOMP_RET_ERRNO|uint32(c.answer)))
	}
	return append(program, answer(unix.SECCOMP_RET_ALLOW)), nil
}
