package conf

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Errors show parts of a file on terminals and in logs that others may read. A
// private key in the place of a name, an address or a key of TOML must not get
// there, nor a control character, nor a text without end.

// maxShown bounds each part of an error in bytes.
const maxShown = 480

// presentable returns s as an error may show it.
func presentable(s string) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return unicode.ReplacementChar
		}
		return c
	}, s)
	s = keyLike.ReplaceAllStringFunc(s, hideKey)
	if len(s) > maxShown { // the beginning and the end say most
		s = strings.ToValidUTF8(s[:maxShown/2], "") + "…" + strings.ToValidUTF8(s[len(s)-maxShown/2:], "")
	}
	return s
}

// secretWindow is the least length in characters of what may be most of a key.
const secretWindow = 32

// keyLike may be a key in base64, the variant for URLs included, or hexadecimal.
var keyLike = regexp.MustCompile(fmt.Sprintf(`[A-Za-z0-9+/_=-]{%d,}`, secretWindow))
var hexLike = regexp.MustCompile(`[A-Fa-f0-9]{48,}`)

// hideKey returns s, or a word in its place if it looks random: it ends as the
// base64 of 32 bytes does, which is how keys are written, or, for other
// notations and parts of a key, some secretWindow characters in a row are
// hexadecimal or mix the classes as words and paths do not: in random base64
// nearly every second character is followed by one of another class.
func hideKey(s string) string {
	if strings.HasSuffix(s, "=") { // certain, where the mixture is a guess
		return hidden
	}
	for _, h := range hexLike.FindAllString(s, -1) {
		if strings.ContainsAny(h, "0123456789") && strings.Trim(h, "0123456789") != "" {
			return hidden
		}
	}
	for i := secretWindow; i <= len(s); i++ {
		var classes [3]bool
		last, changes := -1, 0
		for _, c := range s[i-secretWindow : i] {
			class := strings.IndexFunc("Aa0", func(first rune) bool { return c >= first && c < first+26 && (first != '0' || c <= '9') })
			if class >= 0 {
				classes[class] = true
				if last >= 0 && class != last {
					changes++
				}
			}
			last = class
		}
		if classes == [3]bool{true, true, true} && changes > secretWindow/3 {
			return hidden
		}
	}
	return s
}
