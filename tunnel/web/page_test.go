package web

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestThePageIsOneDocument: nothing in it loads anything, and its policy allows its own
// style and script alone.
func TestThePageIsOneDocument(t *testing.T) {
	page, policy := assemble()
	for _, pattern := range []string{`(?i)<(?:link|script|img|iframe)[^>]*\s(?:src|href)="(?:[^d]|d[^a])`, `https?://`, `@import`, `url\(`, `\sstyle=`, `\son[a-z]+=`} {
		text := strings.NewReplacer("'http://www.w3.org/2000/svg'", "").Replace(page)
		if found := regexp.MustCompile(pattern).FindString(text); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
	for tag, directive := range map[string]string{"style": "style-src", "script": "script-src"} {
		between := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(page, -1)
		if len(between) != 1 || len(between[0][1]) < 1000 {
			t.Fatalf("%d elements %s", len(between), tag)
		}
		if want := directive + " " + hash(between[0][1]) + ";"; !strings.Contains(policy, want) {
			t.Errorf("the policy %q has no %q", policy, want)
		}
	}
}

// TestThePageWritesText, never HTML: names in a status are others' words.
func TestThePageWritesText(t *testing.T) {
	page, _ := assemble()
	for _, way := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "new Function", "setHTML"} {
		if strings.Contains(page, way) {
			t.Errorf("the page uses %s", way)
		}
	}
}

// TestEveryPartIsInThePage.
func TestEveryPartIsInThePage(t *testing.T) {
	files, err := fs.Glob(parts, "page/*.js")
	if err != nil || len(files) != len(scripts) {
		t.Errorf("%q, %v", files, err)
	}
	for _, file := range files {
		if !slices.Contains(scripts, strings.TrimPrefix(file, "page/")) {
			t.Errorf("%s is not in the page", file)
		}
	}
}
