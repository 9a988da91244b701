//go:build linux

package test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fathom/test/gateway"
	"fathom/test/netlab"
	"fathom/test/tier"
)

// baculaSite is a Bacula installation of its own: the file daemon on host A,
// the director, the storage daemon and the console on host B, with all files
// below one folder.
type baculaSite struct {
	l     *longPath
	dir   string
	files string // the folder to back up
}

const baculaPassword = "only-inside-the-laboratory"

func newBaculaSite(t *testing.T, l *longPath, size int64) *baculaSite {
	t.Helper()
	dir, err := os.MkdirTemp("", "fathom-bacula")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &baculaSite{l: l, dir: dir, files: filepath.Join(dir, "files")}
	for _, d := range []string{"files", "volumes", "restored", "work-dir", "work-sd", "work-fd"} {
		check(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	const pieces = 8
	for i := range pieces {
		f, err := os.Create(filepath.Join(s.files, fmt.Sprintf("incompressible-%d", i)))
		check(t, err)
		_, err = io.Copy(f, io.LimitReader(rand.NewChaCha8([32]byte{byte(i)}), size/pieces))
		check(t, err)
		check(t, f.Close())
	}
	s.configure(t)
	s.createCatalog(t)
	return s
}

// configure writes the four configuration files.
func (s *baculaSite) configure(t *testing.T) {
	t.Helper()
	for name, text := range map[string]string{
		"bacula-dir.conf": `
Director { Name = lab-dir; DIRport = 9101; QueryFile = "DIR/query.sql"; WorkingDirectory = "DIR/work-dir"; PidDirectory = "DIR"
  Maximum Concurrent Jobs = 2; Password = "PASSWORD"; Messages = Standard }
Job { Name = backup; Type = Backup; Level = Full; Client = a-fd; FileSet = all; Storage = b-sd; Pool = pool; Messages = Standard
  Spool Attributes = yes }
Job { Name = restore; Type = Restore; Client = a-fd; FileSet = all; Storage = b-sd; Pool = pool; Messages = Standard; Where = "DIR/restored" }
FileSet { Name = all; Include { Options { signature = MD5 } File = "DIR/files" } }
Client { Name = a-fd; Address = 10.77.0.1; FDPort = 9102; Catalog = cat; Password = "PASSWORD" }
Storage { Name = b-sd; Address = 10.77.0.2; SDPort = 9103; Password = "PASSWORD"; Device = disk; Media Type = File }
Catalog { Name = cat; dbname = "bacula"; dbuser = ""; dbpassword = "" }
Messages { Name = Standard; director = lab-dir = all; console = all; append = "DIR/log" = all; catalog = all }
Pool { Name = pool; Pool Type = Backup; Label Format = "vol-" }
`,
		"bacula-sd.conf": `
Storage { Name = b-sd; SDPort = 9103; WorkingDirectory = "DIR/work-sd"; PidDirectory = "DIR" }
Director { Name = lab-dir; Password = "PASSWORD" }
Device { Name = disk; Media Type = File; Archive Device = "DIR/volumes"; LabelMedia = yes; Random Access = yes; AutomaticMount = yes; RemovableMedia = no; AlwaysOpen = no }
Messages { Name = Standard; director = lab-dir = all }
`,
		"bacula-fd.conf": `
Director { Name = lab-dir; Password = "PASSWORD" }
FileDaemon { Name = a-fd; FDport = 9102; WorkingDirectory = "DIR/work-fd"; Pid Directory = "DIR" }
Messages { Name = Standard; director = lab-dir = all }
`,
		"bconsole.conf": `
Director { Name = lab-dir; DIRport = 9101; address = 127.0.0.1; Password = "PASSWORD" }
`,
	} {
		text = strings.NewReplacer("DIR/", s.dir+"/", `"DIR"`, `"`+s.dir+`"`, "PASSWORD", baculaPassword).Replace(text)
		check(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
	}
	check(t, os.WriteFile(filepath.Join(s.dir, "query.sql"), nil, 0o600))
}

// createCatalog makes the tables with Debian's own script, in our folder.
func (s *baculaSite) createCatalog(t *testing.T) {
	t.Helper()
	program(t, "sqlite3", "sqlite3")
	const script = "/usr/share/bacula-director/make_sqlite3_tables"
	text, err := os.ReadFile(script)
	check(t, err)
	changed := strings.NewReplacer("/var/lib/bacula", filepath.Join(s.dir, "work-dir"), "XXX_DBNAME_XXX", "bacula").Replace(string(text))
	path := filepath.Join(s.dir, "make_tables")
	check(t, os.WriteFile(path, []byte(changed), 0o700))
	run(t, s.l.B, "/bin/sh", path)
}

// start runs the three daemons in the foreground.
func (s *baculaSite) start(t *testing.T) {
	t.Helper()
	for _, d := range []struct {
		host    *netlab.Host
		program string
		pkg     string
	}{{s.l.B, "bacula-sd", "bacula-sd"}, {s.l.A, "bacula-fd", "bacula-fd"}, {s.l.B, "bacula-dir", "bacula-director-sqlite3"}} {
		c := d.host.Command(program(t, d.program, d.pkg), "-f", "-c", filepath.Join(s.dir, d.program+".conf"))
		c.Env = append(os.Environ(), "LD_LIBRARY_PATH=/usr/lib/bacula")
		log, err := os.Create(filepath.Join(s.dir, d.program+".out"))
		check(t, err)
		c.Stdout, c.Stderr = log, log
		check(t, c.Start())
		t.Cleanup(func() { c.Process.Kill(); c.Wait(); log.Close() })
	}
	for _, at := range []struct {
		host    *netlab.Host
		address string
	}{{s.l.B, "127.0.0.1:9101"}, {s.l.A, "127.0.0.1:9102"}, {s.l.B, "127.0.0.1:9103"}} {
		deadline := time.Now().Add(within)
		for {
			conn, err := at.host.Dial("tcp", at.address)
			if err == nil {
				conn.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s does not listen: %v\n%s", at.address, err, s.logs())
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// console gives the director commands and returns what it answers.
func (s *baculaSite) console(t *testing.T, commands ...string) string {
	t.Helper()
	c := s.l.B.Command(program(t, "bconsole", "bacula-console"), "-n", "-c", filepath.Join(s.dir, "bconsole.conf"))
	c.Stdin = strings.NewReader(strings.Join(append(commands, "quit", ""), "\n"))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("bconsole: %v\n%s%s", err, out, s.logs())
	}
	return string(out)
}

// logs returns the end of everything that Bacula has written.
func (s *baculaSite) logs() string {
	var b strings.Builder
	for _, name := range []string{"log", "bacula-dir.out", "bacula-sd.out", "bacula-fd.out"} {
		text, _ := os.ReadFile(filepath.Join(s.dir, name))
		fmt.Fprintf(&b, "== %s\n%s\n", name, text[max(0, len(text)-4000):])
	}
	return b.String()
}

// awaitJob waits until a job has ended, and returns what the log says of it.
func (s *baculaSite) awaitJob(mark string, atMost time.Duration) (log string, ended bool) {
	for end := time.Now().Add(atMost); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "Termination:") && strings.Contains(line, mark) {
				return string(text), true
			}
		}
	}
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text), false
}

// hashes returns the hash of every file below a folder, by its name.
func hashes(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	found := make(map[string][32]byte)
	check(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		_, err = io.Copy(h, f)
		found[info.Name()] = [32]byte(h.Sum(nil))
		return err
	}))
	return found
}

// shaking changes the path's MTU each time that the tunnel devices of both ends
// have received another each bytes together, until stop is called. changed returns
// the number of changes so far.
func (l *longPath) shaking(each uint64) (changed func() int, stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	var changes atomic.Int64
	done.Go(func() {
		random := rand.New(rand.NewPCG(1, 1))
		a, b := l.A.Interface(gateway.Device), l.B.Interface(gateway.Device)
		next := uint64(0)
		for {
			select {
			case <-quit:
				l.middle.SetMTU(1500)
				return
			case <-time.After(time.Millisecond):
			}
			if arrived := a.Stats().RxBytes + b.Stats().RxBytes; arrived >= next {
				l.middle.SetMTU(576 + random.IntN(1500-576+1))
				changes.Add(1)
				next = arrived + each
			}
		}
	})
	return func() int { return int(changes.Load()) }, func() { close(quit); done.Wait() }
}

// storageGap watches how much data arrives at B's tunnel device, and returns
// the longest time between two pieces of it. Bacula's messages before and after
// the files are no data.
func (l *longPath) storageGap() (stop func() time.Duration) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	var gap time.Duration
	device := l.B.Interface(gateway.Device)
	done.Go(func() {
		const piece = 64 << 10
		var last time.Time
		seen := device.Stats().RxBytes
		for {
			select {
			case <-quit:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if bytes := device.Stats().RxBytes; bytes > seen+piece {
				now := time.Now()
				if !last.IsZero() {
					gap = max(gap, now.Sub(last))
				}
				seen, last = bytes, now
			}
		}
	})
	return func() time.Duration { close(quit); done.Wait(); return gap }
}

// TestBacula is the problem that Fathom exists for: a long backup over a path
// whose MTU changes, with ICMP cut.
func TestBacula(t *testing.T) {
	tier.Select(t, tier.Long)
	t.Parallel() // it waits for the daemons more than it computes
	size := int64(64 << 20)
	if tier.Full() {
		size = 2 << 30
	}
	l := newDelayedPath(t, "", "", 0)
	up(t, l.a, l.b)
	exact(t, l.a, 1500)
	exact(t, l.b, 1500)
	l.R.CutPTB(true)
	l.S.CutPTB(true)
	s := newBaculaSite(t, l, size)
	s.start(t)

	changed, stop := l.shaking(uint64(size / 16))
	gap := l.storageGap()
	began := time.Now()
	s.console(t, "run job=backup yes", "wait")
	log, ended := s.awaitJob("Backup", 5*time.Minute)
	took, longest, during := time.Since(began), gap(), changed()
	if !ended || !strings.Contains(log, "Backup OK") {
		t.Fatalf("the backup did not end well\n%s\n%+v", s.logs(), statusOf(t, l.a).Peers[0])
	}
	if during < 2 {
		t.Errorf("the path changed %d times during the backup, which took %v", during, took)
	}
	s.console(t, "restore client=a-fd restorejob=restore where="+filepath.Join(s.dir, "restored")+" select all done yes", "wait")
	log, ended = s.awaitJob("Restore", 5*time.Minute)
	stop()
	if !ended || !strings.Contains(log, "Restore OK") {
		t.Fatalf("the restore did not end well\n%s", s.logs())
	}
	want, got := hashes(t, s.files), hashes(t, filepath.Join(s.dir, "restored"))
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%d files were restored of %d", len(got), len(want))
	}
	for name, h := range want {
		if got[name] != h {
			t.Errorf("%s has changed", name)
		}
	}
	tier.Figure(t, "Backup OK, Restore OK: %d MiB backed up in %v while the path's MTU changed %d times, %d times in all; longest gap towards the storage daemon %v",
		size>>20, took.Round(time.Millisecond), during, changed(), longest.Round(time.Millisecond))
}

// TestBaculaWithoutDiscovery shows that the test above can fail: the same
// backup over a tunnel that neither measures its path nor carries packets that do
// not fit.
func TestBaculaWithoutDiscovery(t *testing.T) {
	tier.Select(t, tier.EitherWay)
	t.Parallel() // it waits for most of the time
	l := newDelayedPath(t, `oversize = "drop"`, `probing = "off"`, 0)
	up(t, l.a, l.b)
	l.R.CutPTB(true)
	l.S.CutPTB(true)
	s := newBaculaSite(t, l, 64<<20)
	s.start(t)
	l.middle.SetMTU(1400)
	s.console(t, "run job=backup yes")
	if log, ended := s.awaitJob("Backup", 20*time.Second); ended && strings.Contains(log, "Backup OK") {
		t.Errorf("the backup ends well without discovery\n%s", s.logs())
	}
	if sent := statusOf(t, l.a).Peers[0].TxBytes; sent > 32<<20 {
		t.Errorf("%d bytes got through", sent)
	}
}
