package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/crypto"
)

const privateKeyFile = "private.key"

func newInitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a private key and a commented configuration",
		Long: `Write a private key and a commented configuration, and print the public key.

An existing file is never overwritten.`,
		Args: noArguments,
	}
	dir := cmd.Flags().StringP("dir", "d", filepath.Dir(defaultConfig), "`directory` for both files")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
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
  3. fathom check -c %s
  4. fathom up -c %s`, config, config, config)
		return nil
	}
	return cmd
}

// initialize writes both files or none.
func initialize(dir string) (config string, public crypto.PublicKey, err error) {
	config = filepath.Join(dir, filepath.Base(defaultConfig))
	keyFile := filepath.Join(dir, privateKeyFile)
	for _, path := range []string{config, keyFile} {
		if _, err := os.Lstat(path); err == nil {
			return "", public, withHint(fmt.Errorf("%s exists already", path), "nothing was written; move it away, or choose another directory with -d")
		}
	}
	key, err := crypto.GeneratePrivateKey(rand.Reader)
	if err != nil {
		return "", public, err
	}
	if public, err = key.Public(); err != nil {
		return "", public, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", public, err
	}
	if err := writeNew(keyFile, []byte(key.Encode()+"\n"), 0o600); err != nil {
		return "", public, err
	}
	if err := writeNew(config, conf.Template(conf.DefaultName, keyFile, public.String()), 0o644); err != nil {
		os.Remove(keyFile) // it would stop the next attempt
		return "", public, err
	}
	return config, public, nil
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
