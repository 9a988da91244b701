package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/crypto"
	"fathom/tunnel/status"
)

// Files beside private_key_file while the key is replaced.
const (
	comingSuffix = ".coming" // the key that will replace it
	oldSuffix    = ".old"    // the key before, until the peers have answered to the new one
)

func newRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace this host's key without an outage",
		Long: `Replace this host's key without an outage, in three steps. Each one says what the
next is.

1. fathom rotate makes the coming key beside the present one, and prints what to
   write on the peers: they accept both keys from then on.
2. fathom rotate --switch puts the coming key to use in the running tunnel. Each
   peer that was up must make a handshake with it; if one does not, the present
   key is put back. The tunnel carries packets all the time.
3. On the peers, the old key is removed.

Exit code: 0 for success, 3 when a peer does not accept the coming key, 4 when no
tunnel is running, 78 for mistakes in the configuration.`,
		Example: "  sudo fathom rotate -c /etc/fathom/office.toml\n  sudo fathom rotate -c /etc/fathom/office.toml --switch",
		Args:    noArguments,
	}
	path := configFlag(cmd)
	switching := cmd.Flags().Bool("switch", false, "put the coming key to use")
	timeout := cmd.Flags().Duration("timeout", 30*time.Second, "how `long` the peers have to accept it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *timeout <= 0 {
			return usageError(fmt.Errorf("--timeout is %v", *timeout), "a positive duration, such as 30s")
		}
		cfg, err := conf.Load(*path)
		if err != nil {
			return err
		}
		if !*switching {
			return prepareKey(cmd, cfg)
		}
		return switchKey(cmd, cfg, *timeout)
	}
	return cmd
}

// prepareKey makes the coming key, unless it is there, and says what to do with it.
func prepareKey(cmd *cobra.Command, cfg *conf.Config) error {
	file := cfg.Tunnel.PrivateKeyFile
	coming, err := readPrivateKey(file + comingSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		coming, err = makeKeyLike(file, file+comingSuffix)
	}
	if err != nil {
		return err
	}
	present, err := crypto.PrivateKey(cfg.Tunnel.PrivateKey).Public()
	if err != nil {
		return err
	}
	next, err := coming.Public()
	if err != nil {
		return err
	}
	return printf(cmd, `The coming key of this host is in %s.

1. On each peer, write both keys of this host, and run fathom reload:

       public_key = ["%s", "%s"]

2. Then, here:

       fathom rotate --switch -c %s
`, file+comingSuffix, present, next, cfg.Path)
}

// readPrivateKey reads a file that makeKeyLike has made.
func readPrivateKey(file string) (key crypto.PrivateKey, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return key, err
	}
	bytes, err := conf.ParseKey(strings.TrimSpace(string(data)))
	if err != nil {
		return key, withHint(fmt.Errorf("%s does not hold a key: %w", file, err), "remove it, and run `fathom rotate` again")
	}
	return bytes, nil
}

// makeKeyLike writes a new key to a file, with the owner of another one.
func makeKeyLike(present, file string) (key crypto.PrivateKey, err error) {
	info, err := os.Stat(present)
	if err != nil {
		return key, err
	}
	if key, err = crypto.GeneratePrivateKey(rand.Reader); err != nil {
		return key, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return key, err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		err = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err == nil {
		_, err = f.WriteString(key.Encode() + "\n")
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return key, errors.Join(err, os.Remove(file))
	}
	return key, nil
}

// switchKey puts the coming key to use in the running tunnel, and the present one back
// if a peer that is up does not accept it.
func switchKey(cmd *cobra.Command, cfg *conf.Config, timeout time.Duration) error {
	file, socket := cfg.Tunnel.PrivateKeyFile, cfg.Tunnel.StatusSocket
	key, err := readPrivateKey(file + comingSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(fmt.Errorf("there is no coming key: %w", err), "`fathom rotate` makes one")
	} else if err != nil {
		return err
	}
	public, err := key.Public()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	before, err := status.Fetch(ctx, socket)
	if err != nil {
		return err
	}
	if err := os.Link(file, file+oldSuffix); err != nil {
		return withHint(err, "%s is left from a switch that was cut short: if the tunnel is up with its peers, remove it", file+oldSuffix)
	}
	if err := os.Rename(file+comingSuffix, file); err != nil {
		return errors.Join(err, os.Remove(file+oldSuffix))
	}
	asked, lacking, err := acceptedBy(ctx, socket, public.String(), before, timeout)
	if err != nil || len(lacking) > 0 {
		if len(lacking) > 0 {
			err = &hintedError{fmt.Errorf("no handshake with the coming key within %v: %s", timeout, strings.Join(lacking, ", ")),
				"write both keys there, run `fathom reload` there, and try again; the present key is in use again", exitPeerDown}
		}
		return errors.Join(err, switchBack(context.WithoutCancel(ctx), file, socket))
	}
	if err := os.Remove(file + oldSuffix); err != nil {
		return err
	}
	var absent []string
	for _, p := range before.Peers {
		if !slices.Contains(asked, p.Name) {
			absent = append(absent, p.Name)
		}
	}
	if len(absent) > 0 {
		note(cmd, "fathom: warning: not up, and so not asked whether they accept the key: %s", strings.Join(absent, ", "))
	}
	return printf(cmd, `The new key is in use with %s.

3. On each peer, remove the old key, and run fathom reload:

       public_key = "%s"
`, plural(len(asked), "peer"), public)
}

// acceptedBy reloads the tunnel, which must have the given public key then, and waits until
// all peers that are up, before or after, have made a handshake by it. One that is made
// meanwhile by the key before says nothing. It returns those peers, and which of them lack
// such a handshake when the time is over.
func acceptedBy(ctx context.Context, socket, public string, before *status.Status, timeout time.Duration) (asked, lacking []string, err error) {
	report, err := status.Reload(ctx, socket)
	if err != nil {
		return nil, nil, err
	}
	if len(report.Mistakes) > 0 {
		return nil, nil, errors.New(strings.Join(report.Mistakes, "\n"))
	}
	now, err := status.Fetch(ctx, socket)
	if err != nil {
		return nil, nil, err
	}
	if now.PublicKey != public {
		return nil, nil, errors.New("the tunnel has not taken in the coming key: does it run with this configuration?")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, p := range slices.Concat(before.Peers, now.Peers) {
		if p.State == status.PeerEstablished && !slices.Contains(asked, p.Name) {
			asked = append(asked, p.Name)
		}
	}
	lacking = slices.Clone(asked)
	for {
		if err == nil {
			lacking = slices.DeleteFunc(lacking, func(name string) bool { return accepts(now, name, public) })
		}
		if len(lacking) == 0 {
			return asked, nil, nil
		}
		select {
		case <-time.After(knockEvery):
		case <-ctx.Done():
			return asked, lacking, nil
		}
		now, err = status.Fetch(ctx, socket)
	}
}

// accepts reports whether a peer has made a handshake by a public key of this end.
func accepts(s *status.Status, name, public string) bool {
	return slices.ContainsFunc(s.Peers, func(p status.Peer) bool { return p.Name == name && p.OwnKey == public })
}

// switchBack puts the present key back.
func switchBack(ctx context.Context, file, socket string) error {
	if err := os.Link(file, file+comingSuffix); err != nil {
		return err
	}
	if err := os.Rename(file+oldSuffix, file); err != nil {
		return err
	}
	_, err := status.Reload(ctx, socket)
	return err
}
