package conf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	enterKeyFolder(t)
	write := func(name, text string) {
		check(t, os.WriteFile(name, []byte(text), 0o644))
	}

	t.Run("a file and its keys are read", func(t *testing.T) {
		check(t, os.Mkdir("etc", 0o755))
		write("etc/fathom.toml", strings.Replace(smallest, "private.key", "../private.key", 1)+smallestPeer+"preshared_key_file = \"../psk.key\"\n")
		c, err := Load("etc/fathom.toml")
		check(t, err)
		if c.Path != "etc/fathom.toml" || c.Tunnel.PrivateKey != decoded(t, privateKey) || c.Peers[0].PresharedKey != decoded(t, presharedKey) {
			t.Errorf("%+v with keys that are not those of the files", c)
		}
	})
	t.Run("no file is an error of its own", func(t *testing.T) {
		c, err := Load("none.toml")
		if c != nil || !errors.Is(err, ErrNoConfig) || err.Error() != "no configuration file: none.toml" {
			t.Errorf("%v, error %v", c, err)
		}
	})
	t.Run("a missing key file is not a missing configuration", func(t *testing.T) {
		write("nokey.toml", strings.Replace(smallest, "private.key", "none.key", 1))
		_, err := Load("nokey.toml")
		if _, ok := errors.AsType[Errors](err); !ok || errors.Is(err, ErrNoConfig) {
			t.Errorf("%T: %v", err, err)
		}
	})
	t.Run("a folder is not read", func(t *testing.T) {
		c, err := Load("folder.key")
		if c != nil || err == nil || err.Error() != "read configuration: read folder.key: is a directory" {
			t.Errorf("%v, error %v", c, err)
		}
	})
	t.Run("a path below a file cannot be opened", func(t *testing.T) {
		c, err := Load("private.key/fathom.toml")
		if c != nil || err == nil || err.Error() != "read configuration: open private.key/fathom.toml: not a directory" {
			t.Errorf("%v, error %v", c, err)
		}
	})
	t.Run("size has a limit", func(t *testing.T) {
		write("full.toml", smallest+strings.Repeat("#", maxFile-len(smallest)))
		_, err := Load("full.toml")
		check(t, err)
		write("large.toml", smallest+strings.Repeat("#", maxFile-len(smallest)+1))
		c, err := Load("large.toml")
		if c != nil || err == nil || err.Error() != "read configuration: large.toml is larger than 4194304 bytes" {
			t.Errorf("%v, error %v", c, err)
		}
	})
	t.Run("mistakes can be told apart by their fields", func(t *testing.T) {
		write("bad.toml", smallest+"\n nam = 1\n")
		_, err := Load("bad.toml")
		list, ok := errors.AsType[Errors](err)
		if want := (Error{"bad.toml", 5, 2, "tunnel.nam", "unknown key", "did you mean name?"}); !ok || len(list) != 1 || *list[0] != want {
			t.Errorf("%v instead of %v", err, want)
		}
	})
}

// TestReadKeyFileTakesWhatIsThere reads through links, of which a folder of
// secrets is often made, and checks the mode of the file behind the link.
func TestReadKeyFileTakesWhatIsThere(t *testing.T) {
	enterKeyFolder(t)
	check(t, os.Symlink("private.key", "link.key"))
	check(t, os.Symlink("world.key", "worldlink.key"))
	if data, err := readKeyFile("link.key"); err != nil || string(data) != privateKey+"\n" {
		t.Errorf("%d bytes, error %v", len(data), err)
	}
	if data, err := readKeyFile("worldlink.key"); err == nil || data != nil {
		t.Errorf("%d bytes of a file that others may read, error %v", len(data), err)
	}
	if _, err := readKeyFile("none.key"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	check(t, os.WriteFile("endless.key", make([]byte, 1<<20), 0o600))
	if data, err := readKeyFile("endless.key"); err != nil || len(data) != MaxKeyFile+1 {
		t.Errorf("%d bytes, error %v", len(data), err)
	}
	for bit := fs.FileMode(1); bit <= 0o777; bit <<= 1 {
		path := filepath.Join(t.TempDir(), "key")
		check(t, os.WriteFile(path, []byte(privateKey), 0o600))
		check(t, os.Chmod(path, 0o600|bit))
		_, err := readKeyFile(path)
		if fine := bit&0o077 == 0; fine != (err == nil) {
			t.Errorf("mode %04o: error %v", 0o600|bit, err)
		}
	}
}
