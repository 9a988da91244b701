package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// release is the version that a package is built as, such as "1.2.0". The linker
// sets it: packaging/build. Empty: the version of the module counts.
var release string

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, its commit and how it was built",
		Long:  "Print the version, its commit and how it was built. `fathom --version` is the same.",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printf(cmd, "fathom %s\n", version())
		},
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return describeBuild(info, release)
}

// describeBuild returns the release, or else the module's version, followed by the
// commit, the Go version and the platform in parentheses.
func describeBuild(info *debug.BuildInfo, release string) string {
	setting := make(map[string]string)
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	version := cmp.Or(release, info.Main.Version)
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	var details []string
	if commit := setting["vcs.revision"]; commit != "" {
		detail := "commit " + commit[:min(len(commit), 12)]
		if day, _, ok := strings.Cut(setting["vcs.time"], "T"); ok {
			detail += " of " + day
		}
		if setting["vcs.modified"] == "true" {
			detail += ", modified"
		}
		details = append(details, detail)
	}
	details = append(details, info.GoVersion)
	if setting["GOOS"] != "" {
		details = append(details, setting["GOOS"]+"/"+setting["GOARCH"])
	}
	return version + " (" + strings.Join(details, ", ") + ")"
}
