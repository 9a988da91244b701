//go:build !linux

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newDemoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show a transfer through a tunnel while the path changes (Linux only)",
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("the demo is made of Linux's network namespaces: %w", errors.ErrUnsupported)
		},
	}
}
