// Command fathom runs, configures and observes a tunnel between Linux hosts:
// ESP in UDP (RFC 4303, RFC 3948), set up with one TOML file on each end.
//
//	fathom demo      two hosts, two routers and a tunnel on this machine
//	fathom init      a key and a commented configuration
//	fathom check     every mistake in the configuration
//	fathom up        the tunnel itself, in the foreground
//	fathom status    the state of the tunnel that runs
//	fathom genkey    keys, one command each: genkey, pubkey, genpsk
//	fathom version
//
// The command is thin: a subcommand is a file that reads flags, calls a
// package and prints. The tunnel is in package tunnel, the configuration in
// package conf, the demo's machines in package netlab. What a person sees, and
// the exit codes, are ruled by output.go.
package main
