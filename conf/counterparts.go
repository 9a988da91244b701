package conf

import (
	_ "embed"
	"sync"

	"github.com/BurntSushi/toml"
)

//go:embed counterparts.toml
var counterpartsFile string

// counterparts are the answers to words of other programs, by plainWord.
var counterparts = sync.OnceValue(func() map[string]string {
	var file map[string][]struct {
		To []string
		Is string
	}
	if _, err := toml.Decode(counterpartsFile, &file); err != nil {
		panic(err)
	}
	answers := make(map[string]string)
	for _, a := range file["answer"] {
		for _, word := range a.To {
			answers[plainWord(word)] = a.Is
		}
	}
	return answers
})
