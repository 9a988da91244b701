package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"fathom/conf"
	"fathom/crypto"
)

func newImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a configuration from one of wg-quick or swanctl",
		Long: `Make a configuration from one of wg-quick or swanctl.

FILE is a file of wg-quick(8), or a swanctl.conf(5) with one connection, or with
the one that --connection names. The closest fathom.toml and its keys are
written to a directory. Everything without a counterpart is listed with its line:
read that before you start the tunnel. FILE is not changed.

WireGuard's keys are kept, since Fathom has keys of the same kind. IPsec's are
not: a new key is made.

Exit code: 0 when the configuration is complete, 78 when something has to be
filled in.`,
		Example: "  fathom import /etc/wireguard/wg0.conf -d /etc/fathom",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(fmt.Errorf("%s instead of one file", plural(len(args), "argument")), "`%s --help` shows the usage", cmd.CommandPath())
			}
			return nil
		},
	}
	dir := cmd.Flags().StringP("dir", "d", ".", "`directory` for the files")
	connection := cmd.Flags().String("connection", "", "`name` of the connection in swanctl.conf")
	cmd.MarkFlagDirname("dir")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := readText(args[0])
		if err != nil {
			return err
		}
		var i *imported
		if strings.Contains(text, "connections") && strings.Contains(text, "{") {
			i, err = importSwanctl(text, *connection)
		} else {
			i, err = importWGQuick(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return i.finish(cmd, args[0], *dir)
	}
	return cmd
}

// maxImport bounds the file in bytes.
const maxImport = 1 << 20

func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxImport+1))
	if err == nil && len(data) > maxImport {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxImport)
	}
	if err == nil && !isText(string(data)) {
		err = fmt.Errorf("%s is no text", path)
	}
	return string(data), err
}

// isText reports whether all of it can be printed. So no value needs an escape that Go
// and TOML write differently.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) && !strings.ContainsRune("\t\r\n", c) })
}

// imported is what was found in the file of another program.
type imported struct {
	tunnel  settings
	peers   []*importedPeer
	private string // key in base64; empty: a new one is made
	lost    []string
	missing []string // what the file does not say, and has to be filled in
}

// importedPeer is a [[peer]] table.
type importedPeer struct {
	settings
	name      string
	preshared string // key in base64; empty: none
}

// settings are keys and values as TOML has them, in their order.
type settings []string

func (s *settings) add(key, value string) { *s = append(*s, key+" = "+value) }

// lose takes note of something that has no counterpart. The reason is that of `fathom
// check`, if it knows the word.
func (i *imported) lose(line int, word, otherwise string) {
	why := conf.Counterpart(word)
	if why == "" || strings.HasPrefix(why, "here: ") {
		why = otherwise
	}
	i.lost = append(i.lost, fmt.Sprintf("line %d: %s: %s", line, word, strings.TrimPrefix(why, "no counterpart: ")))
}

// stringList writes a TOML array of strings.
func stringList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// finish writes the files, and lists what is lost and what is missing.
func (i *imported) finish(cmd *cobra.Command, from, dir string) error {
	config, keyFile := filepath.Join(dir, filepath.Base(defaultConfig)), filepath.Join(dir, privateKeyFile)
	files := []string{config, keyFile}
	for _, p := range i.peers {
		if p.preshared != "" {
			files = append(files, filepath.Join(dir, p.name+".psk"))
		}
	}
	if err := mustBeNew(files...); err != nil {
		return err
	}
	key, public, err := i.key()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err = writeNew(keyFile, key, 0o600)
	for _, p := range i.peers {
		if p.preshared != "" && err == nil {
			err = writeNew(filepath.Join(dir, p.name+".psk"), []byte(p.preshared+"\n"), 0o600)
		}
	}
	if err == nil {
		err = writeNew(config, i.text(from, public), 0o600)
	}
	for _, path := range files {
		if err == nil {
			err = giveToService(path)
		}
	}
	if err != nil {
		for _, path := range files {
			os.Remove(path)
		}
		return err
	}
	for _, path := range files {
		note(cmd, "wrote %s", path)
	}
	if err := printf(cmd, "public key: %s\n", public); err != nil {
		return err
	}
	for _, what := range i.lost {
		note(cmd, "without a counterpart: %s:%s", from, strings.TrimPrefix(what, "line "))
	}
	for _, what := range i.missing {
		note(cmd, "to be filled in: %s", what)
	}
	note(cmd, "the other end needs Fathom as well, and this public key")
	var mistakes conf.Errors
	if _, err := conf.Load(config); errors.As(err, &mistakes) {
		return mistakes
	} else if err != nil {
		return err
	}
	if len(i.missing) > 0 {
		return exitCode(exitConfig)
	}
	return nil
}

// key returns the content of the key file, and the public key.
func (i *imported) key() ([]byte, crypto.PublicKey, error) {
	if i.private == "" {
		return newKey()
	}
	key, err := conf.ParseKey(i.private)
	if err != nil {
		return nil, crypto.PublicKey{}, fmt.Errorf("private key: %w", err)
	}
	public, err := crypto.PrivateKey(key).Public()
	return []byte(i.private + "\n"), public, err
}

// text is the configuration.
func (i *imported) text(from string, public crypto.PublicKey) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made from %s by `fathom import`; fathom.toml(5) explains all keys.\n", filepath.Base(from))
	fmt.Fprintf(&b, "# This host's public key: %s\n[tunnel]\nname = %q\nprivate_key_file = %q\n", public, conf.DefaultName, privateKeyFile)
	for _, s := range i.tunnel {
		fmt.Fprintln(&b, s)
	}
	for _, p := range i.peers {
		fmt.Fprintf(&b, "\n[[peer]]\nname = %q\n", p.name)
		if p.preshared != "" {
			fmt.Fprintf(&b, "preshared_key_file = %q\n", p.name+".psk")
		}
		for _, s := range p.settings {
			fmt.Fprintln(&b, s)
		}
	}
	return []byte(b.String())
}
