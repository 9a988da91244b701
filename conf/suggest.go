package conf

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"github.com/agnivade/levenshtein"
)

// suggest returns the known word that an unknown one was probably meant to
// be, empty if none is near. Case, underscores, hyphens and spaces do not
// count, so that AllowedIPs finds allowed_ips.
func suggest(word string, known []string) string {
	const maxWord, maxSlips, minPart = 40, 2, 3 // bytes, edits, bytes
	if len(word) > maxWord {
		return ""
	}
	plain := plainWord(word)
	best, distance := "", min(maxSlips, len(word)/2)+1 // a word half of which is wrong is another
	for _, k := range known {
		if d := levenshtein.ComputeDistance(plain, plainWord(k)); d < distance {
			best, distance = k, d
		}
	}
	// Else one that is part of the other: private_key, PersistentKeepalive. Else
	// one that it abbreviates: pubkey, psk.
	for _, near := range []func(a, b string) bool{strings.Contains, func(a, b string) bool { return strings.Contains(b, a) }, abbreviates} {
		for _, k := range known {
			if other := plainWord(k); best == "" && min(len(plain), len(other)) >= minPart && near(plain, other) {
				best = k
			}
		}
	}
	return best
}

// abbreviates reports whether short is long without some of its bytes, but
// with the first.
func abbreviates(short, long string) bool {
	first := short != "" && strings.HasPrefix(long, short[:1])
	for i := 0; i < len(short) && first; i++ {
		_, long, first = strings.Cut(long, short[i:i+1])
	}
	return first
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "", `"`, "", "[", "", "]", "")

func plainWord(s string) string {
	return separators.Replace(strings.ToLower(s))
}

// didYouMean returns a hint: the word nearest to it, or else all of them.
func didYouMean(word string, known []string) string {
	if k := suggest(word, known); k != "" {
		return "did you mean " + k + "?"
	}
	return "one of " + strings.Join(known, ", ")
}

//go:embed counterparts.toml
var counterpartsFile string

// counterparts are the answers to words of other programs, by plainWord.
var counterparts = sync.OnceValue(func() map[string]string {
	var lines map[string]string // by words with spaces between
	if _, err := toml.Decode(counterpartsFile, &lines); err != nil {
		panic(err)
	}
	answers := make(map[string]string)
	for words, answer := range lines {
		for word := range strings.FieldsSeq(words) {
			answers[plainWord(word)] = answer
		}
	}
	return answers
})

// Counterpart says which key has the meaning of a word of wg-quick(8) or swanctl.conf(5)
// here, or how to do without: "" where that is not known.
func Counterpart(word string) string { return counterparts()[plainWord(word)] }
