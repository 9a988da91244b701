package tunnel

import (
	"testing"
	"testing/synctest"
	"time"

	"fathom/conf"
	"fathom/tunnel/status"
)

// nextHandshake waits for another handshake with the peer, and returns how long that took.
func (v *virtual) nextHandshake(t *testing.T, atMost time.Duration) time.Duration {
	t.Helper()
	made := func() (n uint64) {
		v.do(func(time.Time) { n = v.peer.handshakes })
		return n
	}
	began, before := time.Now(), made()
	for made() == before {
		if time.Since(began) > atMost {
			t.Fatalf("no handshake within %v", atMost)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(began)
}

func (v *virtual) cipher() (name string) {
	v.do(func(now time.Time) { name = v.peer.status(now).Cipher })
	return name
}

// TestCiphersAreReloaded holds that the SAs go on by the cipher that they have, and that
// the next handshake is by the ciphers of the reloaded configuration.
func TestCiphersAreReloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		const was, next = "aes-256-gcm", "chacha20-poly1305"
		spis := left.spisOf(left.peer.name)
		for end, ciphers := range map[*virtual][]string{left: {next}, right: {was, next}} {
			if err := end.reloads(t, func(c *conf.Config) { c.Tunnel.Ciphers = ciphers }); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if got := left.cipher(); got != was || left.spisOf(left.peer.name) != spis {
			t.Errorf("right after the reload the SAs are others, by %s", got)
		}
		left.nextHandshake(t, 3*time.Minute)
		time.Sleep(time.Second)
		if l, r := left.cipher(), right.cipher(); l != next || r != next {
			t.Errorf("ciphers %s and %s after a handshake", l, r)
		}
		// None in common: the handshake comes to nothing, and the reason is told.
		if err := right.reloads(t, func(c *conf.Config) { c.Tunnel.Ciphers = []string{was} }); err != nil {
			t.Fatal(err)
		}
		until(t, 3*time.Minute, func() bool { return right.log.count("no cipher in common") > 0 })
	})
}

// TestTheTimeOfARekeyIsReloaded holds that keys are replaced by the new time.
func TestTheTimeOfARekeyIsReloaded(t *testing.T) {
	for _, test := range []struct {
		name     string
		from, to time.Duration
		// The next handshake comes not before earliest, and not after latest.
		earliest, latest time.Duration
	}{
		{"sooner", 10 * time.Minute, time.Minute, 0, 10 * time.Minute},
		{"later", time.Minute, 10 * time.Minute, 9 * time.Minute, 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := virtualPair(t, conf.Tunnel{RekeyAfter: test.from}, 0)
				time.Sleep(10 * time.Second)
				for _, end := range []*virtual{left, right} {
					if err := end.reloads(t, func(c *conf.Config) { c.Tunnel.RekeyAfter = test.to }); err != nil {
						t.Fatal(err)
					}
				}
				took := left.nextHandshake(t, time.Hour)
				t.Logf("the next handshake comes after %v", took)
				if took < test.earliest || took > test.latest {
					t.Errorf("the next handshake comes after %v", took)
				}
				if took := left.nextHandshake(t, time.Hour); took < test.to*9/10 || took > test.to*11/10 {
					t.Errorf("the one after that comes after %v, not %v", took, test.to)
				}
			})
		})
	}
}

// TestThePresharedKeyIsReloaded gives both ends a preshared key, one after the other. The
// SAs go on meanwhile; the handshake that comes when one end alone has the key is refused,
// and the one after that is made by it.
func TestThePresharedKeyIsReloaded(t *testing.T) {
	give := func(t *testing.T, end *virtual) {
		t.Helper()
		if err := end.reloads(t, func(c *conf.Config) { c.Peers[0].PresharedKey = conf.SecretKey{7} }); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		spis := left.spisOf(left.peer.name)
		give(t, left)
		time.Sleep(time.Minute) // half of the time until the next handshake
		if left.spisOf(left.peer.name) != spis || left.state() != status.PeerEstablished {
			t.Error("the SAs are others before a handshake")
		}
		give(t, right)
		left.nextHandshake(t, 3*time.Minute)
		if n := left.log.count("peer's answer is not authentic") + left.log.count("peer lost") + right.log.count("peer lost"); n > 0 {
			t.Errorf("a change of both ends before the next handshake costs something: %v", left.log.seen)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{}, 0)
		give(t, left)
		until(t, 3*time.Minute, func() bool { return left.log.count("peer's answer is not authentic") > 0 })
		if left.state() != status.PeerEstablished {
			t.Error("the SAs end at the first handshake that fails")
		}
		give(t, right)
		left.nextHandshake(t, 3*time.Minute)
		if n := left.log.count("peer lost") + right.log.count("peer lost"); n > 0 {
			t.Errorf("%d times a peer is lost", n)
		}
	})
}

// TestAReloadEndsNoSA makes the time of keys shorter than the age that they have: a
// handshake follows, before which they are not given up.
func TestAReloadEndsNoSA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := virtualPair(t, conf.Tunnel{RekeyAfter: time.Hour}, 0)
		time.Sleep(30 * time.Minute)
		for _, end := range []*virtual{left, right} {
			if err := end.reloads(t, func(c *conf.Config) { c.Tunnel.RekeyAfter = time.Second }); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				before := right.peer.rx.packets.Load()
				if left.peer.session.Load() == nil {
					t.Fatal("the SAs are given up")
				}
				left.send(1)
				time.Sleep(left.wire.trip + time.Millisecond)
				synctest.Wait()
				if n := right.peer.rx.packets.Load() - before; n != 1 {
					t.Fatalf("%d packets arrive", n)
				}
			}
		}
		if n := left.log.count("peer lost") + right.log.count("peer lost"); n > 0 {
			t.Errorf("%d times a peer is lost", n)
		}
	})
}
