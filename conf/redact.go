package conf

import (
	"strings"
	"unicode"
)

// What is shown of a file in errors is for terminals and logs that others may
// read. A private key that somebody has put in the place of a name, an address
// or a key of TOML must not get there, nor a control character, nor a text
// without end.

const (
	// secretWindow is the length in characters at which what looks random is
	// taken for a key, or for most of one.
	secretWindow = 32
	// maxShown bounds each part of an error in bytes.
	maxShown = 480
)

// presentable returns s as an error may show it.
func presentable(s string) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return unicode.ReplacementChar
		}
		return c
	}, s)
	s = hideKeys(s)
	if len(s) > maxShown { // the beginning and the end say most
		s = strings.ToValidUTF8(s[:maxShown/2], "") + "…" + strings.ToValidUTF8(s[len(s)-maxShown/2:], "")
	}
	return s
}

// hideKeys replaces what looks like a key in base64 or hexadecimal.
func hideKeys(s string) string {
	var b strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, keyCharacter)
		if n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		s = s[n:]
		n = strings.IndexFunc(s, func(c rune) bool { return !keyCharacter(c) })
		if n < 0 {
			n = len(s)
		}
		if looksRandom(s[:n]) {
			b.WriteString(hidden)
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// keyCharacter reports whether c may be part of a key in base64, the variant
// for URLs included, or in hexadecimal.
func keyCharacter(c rune) bool {
	return classOf(c) != other || strings.ContainsRune("+/-_=", c)
}

// class is a class of characters.
type class int

const (
	other class = iota
	upper
	lower
	digit
)

func classOf(c rune) class {
	switch {
	case c >= 'A' && c <= 'Z':
		return upper
	case c >= 'a' && c <= 'z':
		return lower
	case c >= '0' && c <= '9':
		return digit
	}
	return other
}

// looksRandom reports whether s may hold a key: it ends as the base64 of 32
// bytes does, which is how keys are written, or, for other notations and parts
// of a key, some secretWindow characters in a row are hexadecimal or mix the
// classes as words and paths do not: in random base64 nearly every second
// character is followed by one of another class.
func looksRandom(s string) bool {
	if len(s) < secretWindow {
		return false
	}
	if strings.HasSuffix(s, "=") { // certain, where the mixture is a guess
		return true
	}
	hexadecimal, classes, changes := 0, [digit + 1]int{}, 0
	change := func(i int) int { // from character i-1 to i
		a, b := classOf(rune(s[i-1])), classOf(rune(s[i]))
		if a != other && b != other && a != b {
			return 1
		}
		return 0
	}
	for i := range len(s) {
		if hexadecimal++; strings.IndexByte("0123456789abcdefABCDEF", s[i]) < 0 {
			hexadecimal = 0
		}
		classes[classOf(rune(s[i]))]++
		if i > 0 {
			changes += change(i)
		}
		if first := i - secretWindow; first >= 0 { // falls out of the window
			classes[classOf(rune(s[first]))]--
			changes -= change(first + 1)
		}
		if hexadecimal >= 3*secretWindow/2 && classes[digit] > 0 && classes[upper]+classes[lower] > 0 {
			return true
		}
		if classes[upper] > 0 && classes[lower] > 0 && classes[digit] > 0 && changes > secretWindow/3 {
			return true
		}
	}
	return false
}
