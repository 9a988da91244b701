package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// What the shell offers behind a command or a flag.

// configFiles completes the name of a configuration file.
func configFiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
}

// logLevels are the values of --log-level.
var logLevels = []string{"debug", "info", "warn", "error"}

// askWithin is how long a question that is not the matter itself may take.
const askWithin = time.Second

// peerNames completes the name of a peer of the running tunnels that where locates.
func peerNames(where func() ([]place, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		places, err := where()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), askWithin)
		defer cancel()
		found, _, _ := running(ctx, places) // those that can be asked will do
		for _, s := range found {
			for _, p := range s.Peers {
				names = append(names, p.Name)
			}
		}
		slices.Sort(names)
		return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
	}
}
