package tunnel

import (
	"fmt"
	"net/netip"
	"os"

	"fathom/crypto"
	"fathom/esp"
)

// keyLog writes the keys of every SA to a file in the format of Wireshark's
// esp_sa table, for debugging. Nil is a key log that is switched off.
type keyLog struct {
	file *os.File
}

// openKeyLog makes the file, readable by its owner alone. An existing one is
// emptied: the keys in it are of SAs that are gone.
func openKeyLog(path string) (*keyLog, error) {
	if path == "" {
		return nil, nil
	}
	// Never write keys into a file that others can read already.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("debug_esp_sa_file: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("debug_esp_sa_file: %w", err)
	}
	return &keyLog{file}, nil
}

// add writes both SAs of a pair between the local and the remote address.
func (k *keyLog) add(keys crypto.Keys, local, remote netip.Addr) error {
	if k == nil {
		return nil
	}
	line := esp.AppendKeyLogLine(nil, local, remote, keys.SendSPI, esp.Suite(keys.Suite), keys.Send[:])
	line = esp.AppendKeyLogLine(line, remote, local, keys.ReceiveSPI, esp.Suite(keys.Suite), keys.Receive[:])
	_, err := k.file.Write(line)
	return err
}

func (k *keyLog) close() {
	if k != nil {
		k.file.Close()
	}
}
