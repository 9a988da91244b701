package main

import (
	"runtime/debug"
	"testing"
)

func TestDescribeBuild(t *testing.T) {
	platform := []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "amd64"}}
	commit := append([]debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
		{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
	}, platform...)
	for _, test := range []struct {
		name     string
		release  string
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"a module", "", "v1.2.3", platform, "v1.2.3 (go1.26, linux/amd64)"},
		{"a package", "1.2.0", "v0.0.0-20260102030405-0123456789ab", platform, "1.2.0 (go1.26, linux/amd64)"},
		{"a clean tree", "", "(devel)", append(commit, debug.BuildSetting{Key: "vcs.modified", Value: "false"}),
			"devel (commit 0123456789ab of 2026-01-02, go1.26, linux/amd64)"},
		{"a tree with changes", "", "v0.1.0", append(commit, debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
			"v0.1.0 (commit 0123456789ab of 2026-01-02, modified, go1.26, linux/amd64)"},
		{"nothing known", "", "", nil, "devel (go1.26)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			info := &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: test.version}, Settings: test.settings}
			if got := describeBuild(info, test.release); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
