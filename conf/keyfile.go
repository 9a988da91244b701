package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxKeyFile bounds the size in bytes of a key file: a key and stray space.
const maxKeyFile = 4096

// readKeyFile reads a file that only its owner may read or write. It looks at
// the file that it has opened, so that none can be put in its place between.
func readKeyFile(path string) ([]byte, error) {
	// O_NONBLOCK: opening a FIFO must not wait for its other end.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &Error{Problem: path + " is not a regular file", Hint: "name the file that holds the key"}
	case info.Mode()&0o077 != 0:
		return nil, &Error{Problem: fmt.Sprintf("%s can be read or written by others (mode %04o)", path, info.Mode().Perm()),
			Hint: "chmod 600 " + path + ", and make a new key if others have had access"}
	}
	return io.ReadAll(io.LimitReader(f, maxKeyFile+1))
}

// secret reads the key in a file that maker would have made.
func (a at) secret(path, maker string) (SecretKey, bool) {
	data, err := a.d.readKey(path)
	var known *Error
	switch {
	case errors.As(err, &known):
		a.fail(known.Problem, known.Hint)
	case errors.Is(err, fs.ErrNotExist):
		a.fail(path+" does not exist", fmt.Sprintf("make it: (umask 077; %s > %s)", maker, path))
	case errors.Is(err, fs.ErrPermission):
		a.fail(path+" cannot be read by this user", "run as root or as the owner of the file")
	case err != nil:
		a.fail(err.Error(), "")
	case len(data) > maxKeyFile:
		a.fail(fmt.Sprintf("%s has more than %d bytes", path, maxKeyFile), "one key, as `"+maker+"` prints it")
	default:
		key, err := parseKey(strings.TrimSpace(string(data)))
		if err == nil {
			return key, true
		}
		a.fail(fmt.Sprintf("%s does not hold a key: %s", path, err), fmt.Sprintf("one line of %d base64 characters, as `%s` prints it", keyLength, maker))
	}
	return SecretKey{}, false
}
