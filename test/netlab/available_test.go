//go:build linux

package netlab

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatIsMissingIsNamedWithAWayOut(t *testing.T) {
	cases := map[string]struct {
		err  error
		want []string
	}{
		"a TUN device closed to the user": {
			explainTUN(&os.PathError{Op: "open", Path: tunDevice, Err: unix.EACCES}),
			[]string{tunDevice, "permission denied", "sudo chmod 0666 " + tunDevice},
		},
		"no TUN device": {
			explainTUN(&os.PathError{Op: "open", Path: tunDevice, Err: unix.ENOENT}),
			[]string{tunDevice, "no such file", "modprobe tun"},
		},
		"a device without a driver": {
			explainTUN(&os.PathError{Op: "open", Path: tunDevice, Err: unix.ENODEV}),
			[]string{tunDevice, "no such device", "modprobe tun"},
		},
		"user namespaces used up": {
			noUserNamespace(unix.ENOSPC),
			[]string{"user namespace", "no space left on device", "user.max_user_namespaces", "run "},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var missing *MissingError
			if !errors.As(c.err, &missing) {
				t.Fatalf("%T is not a MissingError", c.err)
			}
			for _, want := range c.want {
				if !strings.Contains(c.err.Error(), want) {
					t.Errorf("%q is missing in %q", want, c.err)
				}
			}
		})
	}
}
