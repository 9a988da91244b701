package conf

import (
	_ "embed"
	"strings"

	"github.com/BurntSushi/toml"
)

//go:embed template.toml
var template string

// Template returns a commented configuration for a new host, as `fathom init`
// writes it: every key is explained, and the optional ones are commented out
// with their defaults. name is the tunnel's, publicKey is this host's in
// base64, for a comment. The configuration is valid once the placeholders of
// its one peer are filled in.
func Template(name, privateKeyFile, publicKey string) []byte {
	return []byte(strings.NewReplacer(
		`"@NAME@"`, quote(name),
		`"@STATUS_SOCKET@"`, quote(defaultStatusSocket(name)),
		`"@HISTORY_FILE@"`, quote(defaultHistoryFile(name, defaultStatusSocket(name))),
		`"@PRIVATE_KEY_FILE@"`, quote(privateKeyFile),
		"@PUBLIC_KEY@", publicKey,
	).Replace(template))
}

// quote writes a TOML string. strconv.Quote does not: \x and \a are Go's.
func quote(s string) string {
	text, _ := toml.Marshal(map[string]string{"x": s}) // every string can be written
	return strings.TrimSuffix(strings.TrimPrefix(string(text), "x = "), "\n")
}
