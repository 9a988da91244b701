package tunnel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"fathom/crypto"
)

// endpointCache keeps the peers' endpoints across restarts, in a small file
// beside the status socket. A tunnel that comes back calls peers without a
// configured endpoint there, instead of waiting until they notice. It is a
// hint: a wrong or missing file costs time, nothing else.
type endpointCache struct {
	file   string
	byPeer map[string]netip.AddrPort // by public key in base64
}

// maxEndpointCache bounds the part of the file that is read back, in bytes.
const maxEndpointCache = 1 << 20

// loadEndpointCache reads the file. The cache is usable after an error too.
func loadEndpointCache(file string) (*endpointCache, error) {
	c := &endpointCache{file: file, byPeer: make(map[string]netip.AddrPort)}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	} else if err == nil && info.Size() > maxEndpointCache {
		err = fmt.Errorf("%s is larger than %d bytes", file, maxEndpointCache)
	}
	if err != nil {
		return c, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c.byPeer); err != nil {
		c.byPeer = make(map[string]netip.AddrPort)
		return c, fmt.Errorf("read %s: %w", file, err)
	}
	return c, nil
}

// lookup returns where a peer was, if that is known.
func (c *endpointCache) lookup(key crypto.PublicKey) (netip.AddrPort, bool) {
	at, ok := c.byPeer[key.String()]
	return at, ok && at.IsValid()
}

// remember writes where a peer is now.
func (c *endpointCache) remember(key crypto.PublicKey, at netip.AddrPort) error {
	if c.byPeer[key.String()] == at {
		return nil
	}
	c.byPeer[key.String()] = at
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
