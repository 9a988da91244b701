package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/crypto"
)

// noHost stands for a host without an address that the other could call.
const noHost = "-"

// pairEnd is one of two hosts that `fathom init --pair` writes the files of.
type pairEnd struct {
	name     string // of the host as a peer of the other, and of its folder
	host     string // where to log in; empty: not known
	endpoint string // where it is called; empty: it calls
	listen   string
	inner    netip.Addr
	key      []byte // the content of its key file
	public   crypto.PublicKey
}

// initializePair writes the files of two hosts in folders below dir, and prints how to
// bring them there.
func initializePair(cmd *cobra.Command, dir, network, first, second string) error {
	prefix, err := netip.ParsePrefix(network)
	if err != nil || prefix.Addr().BitLen()-prefix.Bits() < 2 {
		return usageError(fmt.Errorf("--network %s is no prefix with two addresses for hosts", network), "such as 10.77.0.0/24 or fd77::/64")
	}
	a, err := newPairEnd(first, "a", prefix.Masked().Addr().Next())
	if err != nil {
		return err
	}
	b, err := newPairEnd(second, "b", a.inner.Next())
	if err != nil {
		return err
	}
	switch {
	case a.endpoint == "" && b.endpoint == "":
		return usageError(errors.New("neither host can be called"), `at most one of them may be "-"`)
	case a.name == b.name:
		return usageError(fmt.Errorf("both hosts are %s", a.name), "give two different ones")
	}
	folderA, folderB := filepath.Join(dir, a.name), filepath.Join(dir, b.name)
	if err := mustBeNew(folderA, folderB); err != nil {
		return err
	}
	err = errors.Join(a.write(folderA, b, prefix.Bits()), b.write(folderB, a, prefix.Bits()))
	if err != nil {
		return errors.Join(err, os.RemoveAll(folderA), os.RemoveAll(folderB))
	}
	for _, end := range []struct {
		*pairEnd
		folder string
	}{{a, folderA}, {b, folderB}} {
		note(cmd, "wrote %s and %s", filepath.Join(end.folder, filepath.Base(defaultConfig)), filepath.Join(end.folder, privateKeyFile))
	}
	note(cmd, "\nbring them to their hosts, where the package is installed, and delete the folders here:\n")
	for _, end := range []*pairEnd{a, b} {
		if err := printf(cmd, "%s", end.commands(filepath.Join(dir, end.name))); err != nil {
			return err
		}
	}
	note(cmd, "\nthen, on either host:\n\n  fathom wait PEER, with %s or %s, and ping %s or %s", b.name, a.name, b.inner, a.inner)
	return nil
}

// newPairEnd understands a host: a name or an address, with a port or without.
func newPairEnd(host, fallback string, inner netip.Addr) (*pairEnd, error) {
	e := &pairEnd{name: fallback, inner: inner}
	var err error
	if e.key, e.public, err = newKey(); err != nil {
		return nil, err
	}
	if host == noHost {
		return e, nil
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), fmt.Sprint(conf.DefaultPort)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, usageError(fmt.Errorf("%q is no UDP port", port), "from 1 to 65535, such as a.example.org:4500")
	}
	e.host, e.endpoint, e.listen = name, net.JoinHostPort(name, port), ":"+port
	if e.name = strings.Trim(notInName.ReplaceAllString(name, "-"), "-"); e.name == "" {
		return nil, usageError(fmt.Errorf("%q is no host", host), "such as a.example.org:4500")
	}
	return e, nil
}

// notInName is what the name of a peer may not contain.
var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// write writes the files of this end, whose peer is the other one. They name no folder,
// so that they can be copied.
func (e *pairEnd) write(folder string, other *pairEnd, bits int) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	values := map[string]string{
		"name":             conf.DefaultName,
		"private_key_file": privateKeyFile,
		"listen":           e.listen,
		"address":          netip.PrefixFrom(e.inner, bits).String(),
		"peer":             other.name,
		"public_key":       other.public.String(),
		"endpoint":         other.endpoint,
		"allowed_ips":      netip.PrefixFrom(other.inner, other.inner.BitLen()).String(),
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Configuration of %s: fathom.toml(5) explains all keys.\n[tunnel]\n", e.name)
	line := func(key, value string) {
		if values[value] != "" {
			fmt.Fprintf(&b, key+"\n", values[value])
		}
	}
	line("name = %q", "name")
	line("private_key_file = %q", "private_key_file")
	line("listen = %q", "listen")
	line("address = [%q]", "address")
	b.WriteString("\n[[peer]]\n")
	line("name = %q", "peer")
	line("public_key = %q", "public_key")
	line("endpoint = %q", "endpoint")
	line("allowed_ips = [%q]", "allowed_ips")
	if e.endpoint == "" {
		b.WriteString("# This host may be behind a NAT, which forgets it without this.\nkeepalive = \"20s\"\n")
	}
	path := filepath.Join(folder, filepath.Base(defaultConfig))
	if err := errors.Join(writeNew(filepath.Join(folder, privateKeyFile), e.key, 0o600), writeNew(path, []byte(b.String()), 0o600)); err != nil {
		return err
	}
	_, err := conf.Load(path)
	return err
}

// commands bring a folder to its host and start the tunnel there. They stop at once where
// the host has such files: those are the only copy of its key.
func (e *pairEnd) commands(folder string) string {
	host := e.host
	if host == "" {
		host = "HOST"
	}
	login := "root@" + host
	target := login
	if strings.Contains(host, ":") {
		target = "root@[" + host + "]" // scp takes a colon for the end of the host
	}
	if !filepath.IsAbs(folder) && (strings.Contains(folder, ":") || strings.HasPrefix(folder, "-")) {
		folder = "./" + folder // ... and a dash for an option
	}
	etc := filepath.Dir(defaultConfig)
	return fmt.Sprintf(`  ssh %[1]s 'for file in %[2]s %[3]s/%[4]s; do test ! -e $file || { echo "$file exists already" >&2; exit 1; }; done' &&
  scp -p %[5]s/* %[6]s:%[3]s/ &&
  ssh %[1]s 'chown %[7]s: %[3]s/%[4]s %[2]s && systemctl enable --now fathom@fathom'
`, login, defaultConfig, etc, privateKeyFile, shellQuoted(folder), target, serviceUser)
}

// shellQuoted is a word as a shell reads it whole.
func shellQuoted(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
