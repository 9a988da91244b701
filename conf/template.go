package conf

import (
	_ "embed"
	"strings"
)

//go:embed template.toml
var template string

// Template returns a commented configuration for a new host: what `fathom
// init` writes. It loads once the peer's placeholders are filled in.
func Template(name, privateKeyFile, publicKey string) []byte {
	return []byte(strings.NewReplacer("@NAME@", name, "@PRIVATE_KEY_FILE@", privateKeyFile, "@PUBLIC_KEY@", publicKey).Replace(template))
}
