package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/crypto"
)

// A key is a line of base64 that encodes 32 bytes, as in WireGuard.

func newGenkeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "genkey",
		Short:   "Print a new private key",
		Example: "  umask 077; fathom genkey > private.key; fathom pubkey < private.key",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := crypto.GeneratePrivateKey(rand.Reader)
			if err != nil {
				return err
			}
			return printSecret(cmd, key.Encode())
		},
	}
}

func newGenpskCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "genpsk",
		Short:   "Print a new preshared key for two peers",
		Example: "  umask 077; fathom genpsk > peer.psk",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := crypto.GeneratePresharedKey(rand.Reader)
			if err != nil {
				return err
			}
			return printSecret(cmd, key.Encode())
		},
	}
}

// printSecret prints a key. It warns if stdout is a file that others can read.
func printSecret(cmd *cobra.Command, key string) error {
	if file, ok := cmd.OutOrStdout().(fs.File); ok {
		info, err := file.Stat()
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			note(cmd, "fathom: warning: others can read the file that this key is written to (mode %04o)", info.Mode().Perm())
			note(cmd, "fathom: hint: `chmod 600` it, and `umask 077` before the next one")
		}
	}
	return printf(cmd, "%s\n", key)
}

func newPubkeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "pubkey",
		Short:   "Read a private key from standard input and print its public key",
		Example: "  fathom pubkey < /etc/fathom/private.key",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), conf.MaxKeyFile))
			if err != nil {
				return fmt.Errorf("read private key: %w", err)
			}
			key, err := conf.ParseKey(strings.TrimSpace(string(data)))
			if err != nil {
				return withHint(fmt.Errorf("read private key: %w", err), "give it the output of `fathom genkey` on standard input")
			}
			public, err := crypto.PrivateKey(key).Public()
			if err != nil {
				return err
			}
			return printf(cmd, "%s\n", public)
		},
	}
}
