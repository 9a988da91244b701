//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"fathom/test/netlab"
	"fathom/test/netlab/labtest"
	"fathom/test/tier"
	"fathom/tunnel/status"
)

// demoRun is `fathom demo` as a process of its own.
type demoRun struct {
	*exec.Cmd
	tmp            string // its TMPDIR, used by no other process
	stdout, stderr bytes.Buffer
}

// demoWithin is far longer than a demo with few bytes takes.
const demoWithin = 5 * time.Minute

func newDemo(t *testing.T, args ...string) *demoRun {
	t.Helper()
	tmp, err := os.MkdirTemp("", "fathom-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o777); err != nil { // for any user
		t.Fatal(err)
	}
	// This program acts as the command. An ordinary user may not enter its
	// folder, but may execute it by this path.
	d := &demoRun{Cmd: exec.Command("/proc/self/exe", append([]string{"demo"}, args...)...), tmp: tmp}
	d.Args[0] = "fathom" // see TestMain
	d.Dir = "/"
	d.Env = append(os.Environ(), "TMPDIR="+tmp, noRaceDelay)
	d.Stdout, d.Stderr = &d.stdout, &d.stderr
	d.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.WaitDelay = demoWithin
	return d
}

// finish waits for the demo, which must exit with the code and leave nothing
// behind.
func (d *demoRun) finish(t *testing.T, code int) {
	t.Helper()
	limit := time.AfterFunc(demoWithin, func() { d.Process.Kill() })
	defer limit.Stop()
	d.Wait()
	if got := d.ProcessState.ExitCode(); got != code {
		d.skipIfMissing(t)
		t.Fatalf("%v, want exit code %d\n%s%s", d.ProcessState, code, &d.stdout, &d.stderr)
	}
	if left, err := os.ReadDir(d.tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind in TMPDIR: %v, %v", left, err)
	}
	if left := d.tunnels(); len(left) > 0 {
		t.Errorf("tunnels still run: %v", left)
	}
}

// tunnels finds the processes `fathom up` of this demo, by host. No other demo has its
// TMPDIR in the environment.
func (d *demoRun) tunnels() map[string]int {
	found := make(map[string]int)
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range lines {
		line, _ := os.ReadFile(file)
		args := strings.Split(string(line), "\x00")
		environment, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		ours := slices.Contains(strings.Split(string(environment), "\x00"), "TMPDIR="+d.tmp)
		if i := slices.Index(args, "-c"); i > 0 && ours {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			found[filepath.Base(filepath.Dir(args[i+1]))] = pid
		}
	}
	return found
}

// skipIfMissing skips the test if the demo has ended because this user lacks
// something. The demo must have printed a hint.
func (d *demoRun) skipIfMissing(t *testing.T) {
	t.Helper()
	const missing = "fathom: error: the demo cannot run here: "
	if !strings.HasPrefix(d.stderr.String(), missing) {
		return
	}
	if !strings.Contains(d.stderr.String(), "\nfathom: hint: ") {
		t.Errorf("the error has no hint:\n%s", &d.stderr)
	}
	labtest.Missing(t, errors.New(d.stderr.String()))
}

func TestDemo(t *testing.T) {
	tier.Select(t, tier.Quick)
	const nobody = 65534
	users := []struct {
		name       string
		credential *syscall.Credential
	}{{"as the user of the test", nil}}
	if os.Geteuid() == 0 {
		users[0].name = "as root"
		users = append(users, struct {
			name       string
			credential *syscall.Credential
		}{"as an ordinary user", &syscall.Credential{Uid: nobody, Gid: nobody}})
	}
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			d := newDemo(t, "--size", "8MiB", "--seed", "42", "--duration", "0s")
			d.SysProcAttr.Credential = user.credential
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
			d.finish(t, exitOK)
			hash := fmt.Sprintf("%x", hashOf(42, 8*humanize.MiByte))
			for _, want := range []string{
				"| eth0 eth1 |", "mtu 1500", "10.77.0.1", // the picture
				"established after ", "plpmtu 1500, inner mtu 1438",
				" 100.0 %        8 MiB ",
				"sha-256, sent by a   " + hash + "\n",
				"sha-256, got by b    " + hash + "\n",
				"\nall bytes have arrived unchanged\n",
			} {
				if !strings.Contains(d.stdout.String(), want) {
					t.Errorf("%q is missing in\n%s", want, &d.stdout)
				}
			}
			if strings.Contains(d.stdout.String(), "\r") {
				t.Error("there is a carriage return, although this is no terminal")
			}
			if d.stderr.Len() > 0 {
				t.Errorf("stderr:\n%s", &d.stderr)
			}
		})
	}
}

func TestDemoShowsTheLogs(t *testing.T) {
	tier.Select(t, tier.Quick)
	d := newDemo(t, "--size", "1", "--verbose", "--duration", "0s")
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	d.finish(t, exitOK)
	for _, want := range []string{"a: ", "b: "} {
		if !strings.Contains(d.stderr.String(), want+"time=") {
			t.Errorf("no line begins with %q:\n%s", want, &d.stderr)
		}
	}
}

// startEndless starts a demo that does not end by itself and waits until bytes
// have arrived.
func startEndless(t *testing.T) *demoRun {
	t.Helper()
	d := newDemo(t, "--size", "1000GiB", "--duration", "0s")
	d.Stdout = nil
	stdout, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.ProcessState == nil {
			d.Process.Kill()
			d.Wait()
		}
	})
	limit := time.AfterFunc(demoWithin, func() { d.Process.Kill() })
	defer limit.Stop()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		fmt.Fprintln(&d.stdout, lines.Text())
		if strings.Contains(lines.Text(), " MiB/s ") {
			go io.Copy(io.Discard, stdout)
			return d
		}
	}
	d.Wait()
	d.skipIfMissing(t)
	t.Fatalf("nothing arrives\n%s%s", &d.stdout, &d.stderr)
	return nil
}

func TestDemoTidiesUpWhenInterrupted(t *testing.T) {
	tier.Select(t)
	for _, test := range []struct {
		name   string
		signal syscall.Signal
		group  bool
	}{
		{"by a signal to it", syscall.SIGINT, false},
		{"by Ctrl-C, which goes to its process group", syscall.SIGINT, true},
		{"by a supervisor", syscall.SIGTERM, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := startEndless(t)
			if n := len(d.tunnels()); n != 2 {
				t.Fatalf("%d tunnels run", n)
			}
			whom := d.Process.Pid
			if test.group {
				whom = -whom
			}
			syscall.Kill(whom, test.signal)
			d.finish(t, exitInterrupted)
			if got, want := d.stderr.String(), "fathom: interrupted; nothing is left behind\n"; got != want {
				t.Errorf("stderr %q, want %q", got, want)
			}
		})
	}
}

// TestDemoInterruptedPrintsJSON, where it was asked for JSON.
func TestDemoInterruptedPrintsJSON(t *testing.T) {
	tier.Select(t)
	d := newDemo(t, "--size", "1000GiB", "--duration", "0s", "--json")
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); len(d.tunnels()) < 2 && time.Since(begun) < demoWithin; time.Sleep(10 * time.Millisecond) {
	}
	d.Process.Signal(syscall.SIGINT)
	d.finish(t, exitInterrupted)
	var f status.Failure
	if err := json.Unmarshal(d.stdout.Bytes(), &f); err != nil || f.Schema != status.ErrorSchema || f.Error != "interrupted" || f.ExitCode != exitInterrupted {
		t.Errorf("%v: %s", err, &d.stdout)
	}
}

// TestDemoShowsThePage to a browser outside of its namespaces, and waits for it.
func TestDemoShowsThePage(t *testing.T) {
	tier.Select(t)
	users := []*syscall.Credential{nil}
	if os.Geteuid() == 0 {
		users = append(users, &syscall.Credential{Uid: 65534, Gid: 65534})
	}
	for _, user := range users {
		d := newDemo(t, "--page", "--size", "8MiB", "--duration", "100ms")
		d.SysProcAttr.Credential = user
		d.Stdout = nil
		out, err := d.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		await := func(prefix string) string {
			t.Helper()
			for lines.Scan() {
				if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
					return rest
				}
			}
			d.Wait()
			d.skipIfMissing(t)
			t.Fatalf("the demo has ended without %q: %s", prefix, &d.stderr)
			return ""
		}
		url := await("the page of host a: ")
		page, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(page.Body)
		page.Body.Close()
		if err != nil || !bytes.Contains(text, []byte("<title>Fathom</title>")) {
			t.Errorf("%v, %.200s", err, text)
		}
		await("the transfer begins when it is open")
		events, err := http.Get(url + "events")
		if err != nil {
			t.Fatal(err)
		}
		defer events.Body.Close()
		await("all bytes have arrived unchanged")
		if stays := await("the page stays until Ctrl-C: "); stays != url {
			t.Errorf("it stays at %s, not %s", stays, url)
		}
		for in := bufio.NewReader(events.Body); ; {
			event, err := in.ReadString('\n')
			if err != nil {
				t.Fatal("the page tells of no transfer")
			}
			var told struct {
				Status struct {
					Peers []struct {
						Tx uint64 `json:"tx_bytes"`
					}
				}
			}
			if json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &told) == nil && told.Status.Peers[0].Tx > 8*humanize.MiByte {
				break
			}
		}
		syscall.Kill(d.Process.Pid, syscall.SIGINT)
		go io.Copy(io.Discard, out)
		d.finish(t, exitOK)
	}
}

// TestDemoLeavesNothingWhenKilled: not even its keys, which no handler could remove.
func TestDemoLeavesNothingWhenKilled(t *testing.T) {
	tier.Select(t)
	d := startEndless(t)
	syscall.Kill(d.Process.Pid, syscall.SIGKILL)
	d.Wait()
	left, err := os.ReadDir(d.tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("%s is left", entry.Name())
	}
}

func TestDemoExplainsTheDeathOfATunnel(t *testing.T) {
	tier.Select(t)
	for _, host := range []string{"a", "b"} {
		t.Run("on host "+host, func(t *testing.T) {
			d := startEndless(t)
			syscall.Kill(d.tunnels()[host], syscall.SIGKILL)
			d.finish(t, exitError)
			for _, want := range []string{
				"the log of the tunnel on host " + host + " ends with\n    time=",
				"\nfathom: error: the tunnel on host " + host + " has ended too early: signal: killed\n",
				"\nfathom: hint: `fathom demo --verbose` ",
			} {
				if !strings.Contains(d.stderr.String(), want) {
					t.Errorf("%q is missing in\n%s", want, &d.stderr)
				}
			}
		})
	}
}

// newTerminal returns both sides of a pseudo-terminal: what is written to it is read from
// the first.
func newTerminal(t *testing.T, width, height uint16) (reader, terminal *os.File) {
	t.Helper()
	reader, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	fd := int(reader.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}); err != nil {
		t.Fatal(err)
	}
	if terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return reader, terminal
}

// TestDemoDrawsOnATerminal: a picture that is drawn again and again in place, and at its
// end shows all that has happened.
func TestDemoDrawsOnATerminal(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	for _, test := range []struct {
		name, environment string
		colours           bool
	}{{"colours", "NO_COLOR=", true}, {"NO_COLOR", "NO_COLOR=1", false}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const width = 70
			reader, terminal := newTerminal(t, width, 40)
			d := newDemo(t, "--size", "32MiB", "--duration", "4s")
			d.Stdout = terminal
			d.Env = append(d.Env, "TERM=xterm", test.environment)
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
			terminal.Close()
			read := make(chan string)
			go func() {
				all, _ := io.ReadAll(reader) // EIO when the demo has closed the terminal
				read <- string(all)
			}()
			d.finish(t, exitOK)
			all := strings.ReplaceAll(<-read, "\r\n", "\n")
			frames := strings.Split(all, "\x1b[?7l")[1:]
			if len(frames) < 5 {
				t.Fatalf("%d pictures:\n%s", len(frames), all)
			}
			last, after, _ := strings.Cut(frames[len(frames)-1], "\x1b[?7h")
			for _, want := range []string{" 100.0 % ", "\r    arrives ", "\rplpmtu 1500 ", "\r       1000 ",
				"the path shrinks from 1500 to 1400 bytes", "the path shrinks from 1400 to 1000 bytes", "the path grows from 1000 to 1500 bytes"} {
				if !strings.Contains(last, want) {
					t.Errorf("%q is missing in\n%q", want, last)
				}
			}
			filled := func(frame string) int {
				_, row, _ := strings.Cut(frame, "    arrives ")
				row, _, _ = strings.Cut(row, "\x1b")
				return len([]rune(row))
			}
			if first, end := filled(frames[0]), filled(last); first >= end || end > width-margin-1 {
				t.Errorf("the first picture has %d columns, and the last %d", first, end)
			}
			if up := fmt.Sprintf("\x1b[%dA", strings.Count(frames[len(frames)-2], "\n")); !strings.HasSuffix(frames[len(frames)-2], up) {
				t.Errorf("the last picture is not in the place of the one before: %q", frames[len(frames)-2])
			}
			if got := strings.Contains(last, yellow); got != test.colours {
				t.Errorf("colours: %v\n%q", got, last)
			}
			if !strings.Contains(after, "\nall bytes have arrived unchanged\n") {
				t.Errorf("after the picture: %q", after)
			}
		})
	}
}

// TestDemoIsTheProof lets the path shrink twice and grow back without a report
// from any router. The transfer continues.
func TestDemoIsTheProof(t *testing.T) {
	tier.Select(t)
	d := newDemo(t, "--size", "64MiB", "--duration", "16s", "--json")
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	d.finish(t, exitOK)
	var r demoResult
	if err := json.Unmarshal(d.stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, &d.stdout)
	}
	if r.Bytes != 64*humanize.MiByte || r.SHA256 != r.SHA256Sent || len(r.SHA256) != 64 {
		t.Errorf("%+v", r)
	}
	// In this order; a machine that stalls makes an end doubt its path in between.
	sizes := []int{1500, 1400, 1000, 1500}
	for _, change := range r.PLPMTU {
		if len(sizes) > 0 && change.To == sizes[0] {
			sizes = sizes[1:]
		}
	}
	if len(sizes) > 0 {
		t.Errorf("the PLPMTU was %+v", r.PLPMTU)
	}
	// The demo itself fails if the transfer stalls. How long a gap is depends on
	// the machine, and on how long its TCP waits.
	t.Logf("longest gap %.0f ms", r.LongestGapMs)
}

func TestDemoWithoutDiscoveryStalls(t *testing.T) {
	tier.Select(t)
	d := newDemo(t, "--size", "16MiB", "--duration", "3s", "--no-discovery", "--json")
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	d.finish(t, exitError)
	if want := "fathom: error: the transfer has stalled: "; !strings.Contains(d.stderr.String(), want) {
		t.Errorf("%q is missing in\n%s", want, &d.stderr)
	}
	var f status.Failure
	if err := json.Unmarshal(d.stdout.Bytes(), &f); err != nil || f.Schema != status.ErrorSchema || f.ExitCode != exitError || !strings.HasPrefix(f.Error, "the transfer has stalled") {
		t.Errorf("%v: %s", err, &d.stdout)
	}
}

func TestWhatTheMachineLacksIsExplained(t *testing.T) {
	err := errors.Join(
		&netlab.MissingError{What: "/dev/net/tun", Err: fs.ErrNotExist, Hint: "modprobe tun"},
		&netlab.MissingError{What: "veth pair", Err: errors.ErrUnsupported, Hint: "modprobe veth"},
	)
	const want = `fathom: error: the demo cannot run here: /dev/net/tun: file does not exist
fathom: hint: modprobe tun
fathom: error: the demo cannot run here: veth pair: unsupported operation
fathom: hint: modprobe veth
`
	var b strings.Builder
	if code := report(&b, explainMissing(err)); code != exitError || b.String() != want {
		t.Errorf("exit code %d, printed\n%swant\n%s", code, b.String(), want)
	}
}
