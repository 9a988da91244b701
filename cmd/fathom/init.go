package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/crypto"
)

const privateKeyFile = "private.key"

// serviceUser is the user that the unit fathom@ runs as.
const serviceUser = "fathom"

func newInitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a private key and a commented configuration, or those of two hosts",
		Long: `Write a private key and a commented configuration, and print the public key.

With --pair write those of two hosts that are to have a tunnel, each in a folder
of its own, and print the commands that bring them there. HOST is where the
other host reaches it: a name or an address, maybe with a UDP port. With "-" in
its place the second host has no address, and calls the first.

An existing file is never overwritten. Where there is a user fathom, whom the
unit fathom@ runs as, root gives it the key of this host.`,
		Example: "  fathom init\n  fathom init --pair a.example.org:4500 b.example.org:4500",
		Args:    pairArguments,
	}
	dir := cmd.Flags().StringP("dir", "d", filepath.Dir(defaultConfig), "`directory` for the files; with --pair the current one is the default")
	cmd.Flags().Bool("pair", false, "write the files of two hosts, HOST and HOST")
	network := cmd.Flags().String("network", "10.77.0.0/24", "with --pair, the `prefix` of the addresses inside the tunnel")
	cmd.MarkFlagDirname("dir")
	cmd.RunE = func(cmd *cobra.Command, hosts []string) error {
		if len(hosts) == 2 {
			if !cmd.Flags().Changed("dir") {
				*dir = "."
			}
			return initializePair(cmd, *dir, *network, hosts[0], hosts[1])
		}
		// The configuration names the key file by its absolute path.
		dir, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		config, public, err := initialize(dir)
		if err != nil {
			return err
		}
		note(cmd, "wrote %s", filepath.Join(dir, privateKeyFile))
		note(cmd, "wrote %s", config)
		if err := printf(cmd, "public key: %s\n", public); err != nil {
			return err
		}
		note(cmd, `
next steps:
  1. do the same on the other host
  2. give each host the public key of the other: fill in [[peer]] in
     %s
  3. fathom check %s
  4. fathom up -c %s`, config, config, config)
		return nil
	}
	return cmd
}

// pairArguments is the Args of init: two hosts with --pair, else none.
func pairArguments(cmd *cobra.Command, args []string) error {
	pair, _ := cmd.Flags().GetBool("pair")
	if !pair {
		return noArguments(cmd, args)
	}
	if len(args) != 2 {
		return usageError(fmt.Errorf("%s instead of two hosts", plural(len(args), "argument")), "such as `fathom init --pair a.example.org:4500 b.example.org:4500`")
	}
	return nil
}

// initialize writes both files or none.
func initialize(dir string) (config string, public crypto.PublicKey, err error) {
	config = filepath.Join(dir, filepath.Base(defaultConfig))
	keyFile := filepath.Join(dir, privateKeyFile)
	if err := mustBeNew(config, keyFile); err != nil {
		return "", public, err
	}
	key, public, err := newKey()
	if err != nil {
		return "", public, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", public, err
	}
	if err := writeNew(keyFile, key, 0o600); err != nil {
		return "", public, err
	}
	err = giveToService(keyFile)
	if err == nil {
		err = writeNew(config, conf.Template(conf.DefaultName, keyFile, public.String()), 0o644)
	}
	if err != nil {
		os.Remove(keyFile) // it would stop the next attempt
		return "", public, err
	}
	return config, public, nil
}

// newKey makes a private key, as a file holds it, and its public key.
func newKey() (file []byte, public crypto.PublicKey, err error) {
	key, err := crypto.GeneratePrivateKey(rand.Reader)
	if err != nil {
		return nil, public, err
	}
	public, err = key.Public()
	return []byte(key.Encode() + "\n"), public, err
}

// mustBeNew returns an error if one of the files exists.
func mustBeNew(paths ...string) error {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			return withHint(fmt.Errorf("%s exists already", path), "nothing was written; move it away, or choose another directory with -d")
		}
	}
	return nil
}

// giveToService makes the user of the service the owner of a key file, if root writes
// it and there is that user: Fathom takes a key that its own user alone can read.
func giveToService(path string) error {
	service, err := user.Lookup(serviceUser)
	if os.Geteuid() != 0 || err != nil {
		return nil
	}
	uid, err := strconv.Atoi(service.Uid)
	if err != nil {
		return nil
	}
	return os.Chown(path, uid, -1)
}

// writeNew writes a file that must not exist yet, whole or not at all.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}
