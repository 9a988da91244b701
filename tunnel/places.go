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

// places remembers across restarts where the peers were, in a small file
// beside the status socket. A tunnel that comes back can so call peers that
// have no configured endpoint, instead of waiting until they notice. It is a
// hint: a wrong or missing file costs time, nothing else.
type places struct {
	file   string
	byPeer map[string]netip.AddrPort // by public key in base64
}

// maxPlacesFile bounds what is read back, in bytes.
const maxPlacesFile = 1 << 20

// loadPlaces reads the file. The places are usable after an error too.
func loadPlaces(file string) (*places, error) {
	p := &places{file: file, byPeer: make(map[string]netip.AddrPort)}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	} else if err == nil && info.Size() > maxPlacesFile {
		err = fmt.Errorf("%s is larger than %d bytes", file, maxPlacesFile)
	}
	if err != nil {
		return p, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p.byPeer); err != nil {
		p.byPeer = make(map[string]netip.AddrPort)
		return p, fmt.Errorf("read %s: %w", file, err)
	}
	return p, nil
}

// of returns where a peer was, if that is known.
func (p *places) of(key crypto.PublicKey) (netip.AddrPort, bool) {
	at, ok := p.byPeer[key.String()]
	return at, ok && at.IsValid()
}

// remember writes where a peer is now.
func (p *places) remember(key crypto.PublicKey, at netip.AddrPort) error {
	if p.byPeer[key.String()] == at {
		return nil
	}
	p.byPeer[key.String()] = at
	data, err := json.MarshalIndent(p.byPeer, "", "\t")
	if err != nil {
		return err
	}
	// Renamed into place, so that a crash leaves the old or the new one.
	tmp, err := os.CreateTemp(filepath.Dir(p.file), filepath.Base(p.file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), p.file)
}
