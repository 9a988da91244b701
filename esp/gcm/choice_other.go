//go:build !amd64

package gcm

// vectorMakers returns none: arm64's standard cipher is as good, and other
// processors have only that.
func vectorMakers() []maker { return nil }
