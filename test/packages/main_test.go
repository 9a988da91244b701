//go:build linux

package packages

import (
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/sdlab"
)

func TestMain(m *testing.M) {
	sdlab.Main()
	// The scripts in the laboratory run this program for their transfers.
	if len(os.Args) > 1 && transfers[os.Args[1]] != nil {
		if err := transfers[os.Args[1]](os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := netlab.Main(m)
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built are the packages of two versions, which are built once for all tests.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// Versions of the packages that the tests build.
const older, newer = "0.1.0", "0.2.0"

// architectures are those that packages are built for.
var architectures = []string{"amd64", "arm64"}

// build builds the packages of a version in a directory, by the arguments of
// packaging/build.
func build(dir, version string, args ...string) error {
	command := exec.Command("../../packaging/build", append([]string{"-o", dir}, args...)...)
	command.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH=1700000000")
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the packages: %w\n%s", err, out)
	}
	return nil
}

// packages returns the directory with the packages of both versions: all of the newer
// one, and of the older one the .deb of this architecture.
func packages(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("FATHOM_PACKAGES"); dir != "" {
		return dir // they were built before
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "fathom-packages"); built.err != nil {
			return
		}
		// Compilers of one after the other find what is compiled already; links and
		// compression have one CPU each.
		var first, second error
		var both sync.WaitGroup
		both.Go(func() { first = build(built.dir, older, "-p", "deb", "amd64") })
		both.Go(func() { second = build(built.dir, newer, architectures...) })
		both.Wait()
		built.err = errors.Join(first, second)
	})
	check(t, built.err)
	return built.dir
}

// deb and rpm return the paths of packages.
func deb(dir, version, arch string) string {
	return filepath.Join(dir, fmt.Sprintf("fathom_%s_%s.deb", version, arch))
}

func rpm(dir, version, arch string) string {
	name := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	return filepath.Join(dir, fmt.Sprintf("fathom-%s-1.%s.rpm", version, name))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a program that the test needs, and returns what it prints.
func run(t *testing.T, debianPackage, name string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(program(t, name, debianPackage), args...).CombinedOutput()
	return string(out), err
}

// program finds a program that the test needs.
func program(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		labtest.Missing(t, fmt.Errorf("%w (apt-get install %s)", err, debianPackage))
	}
	return path
}

// transfers are what the scripts in the laboratory run this program for. The argument is
// an address and a port, or for a stream the path of a named pipe.
var transfers = map[string]func(string) error{"transfer-receive": receive, "transfer-send": send, "stream": stream}

// receive takes one connection, and says how many bytes have come, the hash of all, and
// the longest time without any; that since the last SIGUSR1 with each of them, too.
func receive(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGUSR1)
	hash, buffer, total := sha256.New(), make([]byte, 64<<10), 0
	var gap, longest time.Duration
	for last := time.Now(); ; {
		n, err := conn.Read(buffer)
		hash.Write(buffer[:n])
		total += n
		now := time.Now()
		gap, last = max(gap, now.Sub(last)), now
		longest = max(longest, gap)
		select {
		case <-asked:
			fmt.Fprintf(os.Stderr, "%d ms\n", gap.Milliseconds())
			gap = 0
		default:
		}
		if err == io.EOF {
			fmt.Printf("%d %x\n", total, hash.Sum(nil))
			fmt.Fprintf(os.Stderr, "longest gap %d ms\n", longest.Milliseconds())
			return nil
		} else if err != nil {
			return err
		}
	}
}

// send sends pseudo-random bytes at a moderate rate until the file "enough" is in the
// current directory, and says the same as receive.
func send(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	hash := sha256.New()
	total, err := untilEnough(conn, hash)
	if err != nil {
		return err
	}
	fmt.Printf("%d %x\n", total, hash.Sum(nil))
	return nil
}

// stream does the same into a named pipe, and says the MD5 of all.
func stream(path string) error {
	pipe, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	hash := md5.New()
	if _, err := untilEnough(pipe, hash); err != nil {
		return err
	}
	fmt.Printf("%x\n", hash.Sum(nil))
	return nil
}

// untilEnough writes pseudo-random bytes until the file "enough" is in the current
// directory, closes, and returns how many they were.
func untilEnough(to io.WriteCloser, hash io.Writer) (total int, err error) {
	buffer := make([]byte, 8<<10)
	random := rand.NewChaCha8([32]byte{1})
	for {
		if _, err := os.Stat("enough"); err == nil {
			break
		}
		random.Read(buffer)
		hash.Write(buffer)
		n, err := to.Write(buffer)
		if total += n; err != nil {
			return total, err
		}
		time.Sleep(time.Millisecond)
	}
	return total, to.Close()
}

// fields splits a script's output into the values that it names: lines of NAME=VALUE.
func fields(output string) map[string]string {
	values := make(map[string]string)
	for line := range strings.Lines(output) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[name] = value
		}
	}
	return values
}
