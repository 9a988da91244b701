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
		Short: "Send data through a tunnel on this machine while the path MTU changes (Linux only)",
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("the demo needs the network namespaces of Linux: %w", errors.ErrUnsupported)
		},
	}
}
