package tunnel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"fathom/crypto"
)

// endpointCache keeps the peers' endpoints across restarts, in a small file
// beside the status socket. A tunnel that comes back calls peers there, instead of
// waiting until they notice, or until a name can be looked up; a peer whose endpoint
// is configured as an address is called at that one. It is a
// hint: a wrong or missing file costs time, nothing else.
type endpointCache struct {
	file   string
	byPeer map[string]netip.AddrPort // by public key in base64
	saveAt time.Time                 // when the file is to be written; zero: it is up to date
}

// maxEndpointCache bounds the file that is read back, in bytes; a peer takes about
// 75.
const maxEndpointCache = 16 << 20

// saveEvery is how long a change waits for others before the file is written. When
// thousands of peers move at once, it is written a few times instead of thousands.
const saveEvery = time.Second

// loadEndpointCache reads what the file says of the given peers. The cache is
// usable after an error too.
func loadEndpointCache(file string, peers []*peer) (*endpointCache, error) {
	c := &endpointCache{file: file, byPeer: make(map[string]netip.AddrPort)}
	data, err := readSmall(file, maxEndpointCache)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	} else if err != nil {
		return c, err
	}
	found, err := parseEndpoints(data)
	if err != nil {
		return c, fmt.Errorf("read %s: %w", file, err)
	}
	for _, p := range peers {
		for _, key := range p.known() {
			if at, ok := found[key.String()]; ok {
				c.byPeer[key.String()] = at
			}
		}
	}
	return c, nil
}

// readSmall reads a regular file of at most the given size in bytes. Whatever else
// has the file's name, such as a pipe, is an error and holds nobody up.
func readSmall(name string, atMost int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, atMost+1))
	if err == nil && int64(len(data)) > atMost {
		err = fmt.Errorf("%s is larger than %d bytes", name, atMost)
	}
	return data, err
}

// parseEndpoints reads the contents of the file, which may be anything. Entries that
// can be no peer's endpoint are left out: the others are of use.
func parseEndpoints(data []byte) (map[string]netip.AddrPort, error) {
	var texts map[string]json.RawMessage
	if err := json.Unmarshal(data, &texts); err != nil {
		return nil, err
	}
	found := make(map[string]netip.AddrPort)
	for key, text := range texts {
		var at netip.AddrPort
		if json.Unmarshal(text, &at) != nil {
			continue
		}
		addr := at.Addr().Unmap()
		if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() || at.Port() == 0 {
			continue
		}
		found[key] = netip.AddrPortFrom(addr, at.Port())
	}
	return found, nil
}

// lookup returns where the peer of a key was, if that is known.
func (c *endpointCache) lookup(key crypto.PublicKey) (netip.AddrPort, bool) {
	at, ok := c.byPeer[key.String()]
	return at, ok
}

// remind tells a peer where it was, unless its configuration tells for certain where it is.
func (c *endpointCache) remind(p *peer) {
	for _, key := range p.known() {
		if at, ok := c.lookup(key); ok && (len(p.endpoints) == 0 || p.named()) {
			p.remembered = at
			p.choose()
			return
		}
	}
}

// forget drops what is known of the peer of a key. The file follows at saveAt.
func (c *endpointCache) forget(key crypto.PublicKey, now time.Time) {
	if _, ok := c.byPeer[key.String()]; !ok {
		return
	}
	delete(c.byPeer, key.String())
	if c.saveAt.IsZero() {
		c.saveAt = now.Add(saveEvery)
	}
}

// remember takes note of where a peer is now. The file follows at saveAt.
func (c *endpointCache) remember(key crypto.PublicKey, at netip.AddrPort, now time.Time) {
	if c.byPeer[key.String()] == at {
		return
	}
	c.byPeer[key.String()] = at
	if c.saveAt.IsZero() {
		c.saveAt = now.Add(saveEvery)
	}
}

// save writes the file, unless it is up to date. After an error the next change
// tries again.
func (c *endpointCache) save() error {
	if c.saveAt.IsZero() {
		return nil
	}
	c.saveAt = time.Time{}
	data, err := json.MarshalIndent(c.byPeer, "", "\t")
	if err != nil {
		return err
	}
	// Renamed into place, so that a crash leaves the old or the new one.
	tmp, err := os.CreateTemp(filepath.Dir(c.file), filepath.Base(c.file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), c.file)
}
