//go:build linux

package netlab_test

func asOrdinaryUser() int { return 0 }
