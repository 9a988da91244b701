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

func newInitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a private key and a commented configuration",
		Args:  cobra.NoArgs,
	}
	dir := cmd.Flags().StringP("dir", "d", filepath.Dir(defaultConfig), "`directory` to write them to")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config := filepath.Join(*dir, filepath.Base(defaultConfig))
		keyFile := filepath.Join(*dir, "private.key")
		for _, path := range []string{config, keyFile} {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				return withHint(fmt.Errorf("%s exists already", path), "nothing was written; move it away, or choose another directory with -d")
			}
		}
		if err := os.MkdirAll(*dir, 0o755); err != nil {
			return err
		}
		key, err := crypto.GeneratePrivateKey(rand.Reader)
		if err != nil {
			return err
		}
		public, err := key.Public()
		if err != nil {
			return err
		}
		if err := writeNew(keyFile, []byte(key.Encode()+"\n"), 0o600); err != nil {
			return err
		}
		if err := writeNew(config, conf.Template(conf.DefaultName, keyFile, public.String()), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "public key: %s\n", public)
		fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s and %s\nnext: fill in [[peer]], give the public key to the peer, then `fathom check -c %s` and `fathom up -c %s`\n", keyFile, config, config, config)
		return nil
	}
	return cmd
}

// writeNew writes a file that must not exist yet.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
