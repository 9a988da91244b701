// Command fathom runs, configures and observes a tunnel between Linux hosts:
// ESP in UDP (RFC 4303, RFC 3948), set up with one TOML file on each end.
//
//	fathom demo      send data through a tunnel on this machine
//	fathom init      write a key and a commented configuration
//	fathom check     report every mistake in the configuration
//	fathom up        run the tunnel in the foreground
//	fathom release   give the host back as it was before a tunnel that has ended
//	fathom status    show the state of the running tunnel
//	fathom probe     measure the path MTU to a peer now, or find the router that swallows packets
//	fathom doctor    find what is amiss with the tunnel and its host
//	fathom wait      wait until a peer answers
//	fathom reload    have the running tunnel take in its configuration again
//	fathom rotate    replace this host's key without an outage
//	fathom import    make a configuration from one of wg-quick or swanctl
//	fathom genkey    print a private key
//	fathom pubkey    print the public key of a private key
//	fathom genpsk    print a preshared key
//	fathom version   print the version
//
// The command is thin: each subcommand is a file that reads flags, calls a
// package and prints. Package tunnel is the tunnel, package conf the
// configuration, and package netlab builds the demo's hosts. output.go states
// the rules for output and exit codes.
package main
