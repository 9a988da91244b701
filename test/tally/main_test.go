package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const events = `{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"the good's log\n"}
{"Action":"attr","Package":"p","Test":"TestGood","Key":"figure","Value":"3 ms"}
{"Action":"pass","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"the bad's log\n"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"output","Package":"p","Test":"TestMissing","Output":"missing: tshark\n"}
{"Action":"skip","Package":"p","Test":"TestMissing"}
{"Action":"attr","Package":"p","Test":"TestElsewhere","Key":"tier","Value":"left out"}
{"Action":"output","Package":"p","Test":"TestElsewhere","Output":"left out with -short\n"}
{"Action":"skip","Package":"p","Test":"TestElsewhere"}
{"Action":"output","Package":"p","Test":"TestHung","Output":"the hung's log\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
{"ImportPath":"q","Action":"build-output","Output":"q.go:1: syntax error\n"}
{"Action":"fail","Package":"q"}
`

func TestTally(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counts")
	var out strings.Builder
	for range 2 {
		if err := tallyPass(strings.NewReader(events), &out, "race", file, false); err != nil {
			t.Fatal(err)
		}
	}
	for text, wanted := range map[string]bool{
		"race: 1 passed, 2 failed, 1 skipped, 1 left out\n": true,
		"the bad's log\n": true, "the hung's log\n": true, "missing: tshark\n": true, "FAIL\tp": true, "syntax error\n": true,
		"the good's log\n": false, "left out with -short\n": false, "=== RUN": false,
	} {
		if strings.Contains(out.String(), text) != wanted {
			t.Errorf("%q is printed: %v\n%s", text, !wanted, &out)
		}
	}
	out.Reset()
	if err := printSum(&out, file); err != nil {
		t.Fatal(err)
	}
	const (
		line   = "race: TestGood: 3 ms\n"
		failed = "race: FAIL p TestBad\nthe bad's log\nrace: FAIL p \nthe hung's log\nrace: FAIL q \nq.go:1: syntax error\n"
	)
	if want := line + line + failed + failed + "2 passed, 4 failed, 2 skipped\n"; out.String() != want {
		t.Errorf("the sum is %q, want %q", &out, want)
	}
}

func TestAPassWithoutTestsFails(t *testing.T) {
	for name, in := range map[string]string{
		"no test": "", "all are left out": strings.Join(strings.SplitAfter(events, "\n")[8:11], ""),
	} {
		if err := tallyPass(strings.NewReader(in), new(strings.Builder), "measure", os.DevNull, false); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAPackageThatEndsAmidItsTests counts as one that failed.
func TestAPackageThatEndsAmidItsTests(t *testing.T) {
	const in = `{"Action":"pass","Package":"p","Test":"TestGood"}
{"Action":"run","Package":"p","Test":"TestHung"}
{"Action":"fail","Package":"p"}
`
	var out strings.Builder
	if err := tallyPass(strings.NewReader(in), &out, "race", os.DevNull, false); err != nil || !strings.Contains(out.String(), "1 passed, 1 failed, 0 skipped") {
		t.Errorf("%v, %s", err, &out)
	}
}
