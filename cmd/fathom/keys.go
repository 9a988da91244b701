package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fathom/crypto"
)

func newGenkeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "genkey",
		Short: "Print a new private key",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := crypto.GeneratePrivateKey(rand.Reader)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), key.Encode())
			return nil
		},
	}
}

func newGenpskCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "genpsk",
		Short: "Print a new preshared key, which both ends of a pair share",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := crypto.GeneratePresharedKey(rand.Reader)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), key.Encode())
			return nil
		},
	}
}

func newPubkeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "pubkey",
		Short:   "Read a private key from standard input and print its public key",
		Example: "  fathom pubkey < /etc/fathom/private.key",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			const maxInput = 4096
			data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxInput))
			if err != nil {
				return fmt.Errorf("read private key: %w", err)
			}
			key, err := crypto.ParsePrivateKey(strings.TrimSpace(string(data)))
			if err != nil {
				return withHint(fmt.Errorf("read private key: %w", err), "give it on standard input, as `fathom genkey` printed it")
			}
			public, err := key.Public()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), public)
			return nil
		},
	}
}
