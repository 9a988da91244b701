package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of `go test -json`: see `go doc test2json`.
type event struct {
	Action, Package, Test string
	Output                string
	Key, Value            string // of an attribute
}

// count holds the results of a pass's tests.
type count struct {
	Pass                             string
	Passed, Failed, Skipped, LeftOut int
	Figures                          []string
	Failures                         []failure `json:",omitempty"`
}

// failure is a test that failed, or a package where none of its tests did.
type failure struct {
	Package, Test string
	Output        string // the end of it
}

// failureOutput bounds what is kept of the output of a test that failed, in
// bytes. Its end says why.
const failureOutput = 8 << 10

func main() {
	pass := flag.String("pass", "", "name of the pass on standard input")
	to := flag.String("to", "", "file to append the numbers to")
	verbose := flag.Bool("v", false, "print all output")
	sum := flag.String("sum", "", "print the sum of such a file instead")
	flag.Parse()
	var err error
	if *sum != "" {
		err = printSum(os.Stdout, *sum)
	} else {
		err = tallyPass(os.Stdin, os.Stdout, *pass, *to, *verbose)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

// tallyPass counts one pass, and appends the numbers to a file.
func tallyPass(in io.Reader, out io.Writer, pass, to string, verbose bool) error {
	c := count{Pass: pass}
	if err := c.read(in, out, verbose); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d passed, %d failed, %d skipped, %d left out\n", c.Pass, c.Passed, c.Failed, c.Skipped, c.LeftOut)
	if to != "" {
		f, err := os.OpenFile(to, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(json.NewEncoder(f).Encode(c), f.Close()); err != nil {
			return err
		}
	}
	if c.Passed == 0 {
		return fmt.Errorf("no test of pass %s has passed", pass)
	}
	return nil
}

// read counts the events of a pass, and shows them.
func (c *count) read(in io.Reader, out io.Writer, verbose bool) error {
	type test struct{ pkg, name string }
	held := make(map[test]*strings.Builder) // output of tests that have not ended
	leftOut := make(map[test]bool)
	failedIn := make(map[string]bool) // packages
	built := ""                       // the compiler's words on the package that comes next
	// show ends what is held of a test: it is printed, unless -v has done so.
	show := func(of test) (text string) {
		if held[of] != nil {
			text = held[of].String()
		}
		if !verbose {
			io.WriteString(out, text)
		}
		delete(held, of)
		return text
	}
	fail := func(of test, text string) {
		c.Failures = append(c.Failures, failure{of.pkg, of.name, text[max(0, len(text)-failureOutput):]})
	}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		} else if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var e event
		if json.Unmarshal(line, &e) != nil { // as the compiler's words were
			out.Write(line)
			continue
		}
		of := test{e.Package, e.Test}
		switch {
		case e.Action == "attr" && e.Key == "tier":
			leftOut[of] = true
		case e.Action == "attr" && e.Key == "figure":
			c.Figures = append(c.Figures, e.Test+": "+e.Value)
		case e.Action == "output" && e.Test != "":
			if held[of] == nil {
				held[of] = new(strings.Builder)
			}
			if !strings.HasPrefix(e.Output, "=== ") {
				held[of].WriteString(e.Output)
			}
			if verbose {
				io.WriteString(out, e.Output)
			}
		case e.Action == "output" && e.Test == "" && e.Output == "PASS\n":
		case e.Action == "build-output":
			built += e.Output
			io.WriteString(out, e.Output)
		case e.Action == "output":
			io.WriteString(out, e.Output)
		case e.Test == "" && e.Action == "fail":
			text := built
			for of := range held {
				if of.pkg == e.Package {
					text += show(of)
				}
			}
			if !failedIn[e.Package] { // it was not built, or ended amid its tests
				c.Failed++
			}
			if !failedIn[e.Package] || text != "" {
				fail(of, text)
			}
			built = ""
		case e.Test == "":
		case e.Action == "pass":
			c.Passed++
			delete(held, of)
		case e.Action == "skip" && leftOut[of]:
			c.LeftOut++
			delete(held, of)
		case e.Action == "skip":
			c.Skipped++
			show(of)
		case e.Action == "fail":
			c.Failed++
			failedIn[e.Package] = true
			fail(of, show(of))
		}
	}
}

// printSum adds all passes up.
func printSum(out io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var all count
	var failures []string
	for decoder := json.NewDecoder(f); decoder.More(); {
		var c count
		if err := decoder.Decode(&c); err != nil {
			return err
		}
		for _, figure := range c.Figures {
			fmt.Fprintf(out, "%s: %s\n", c.Pass, figure)
		}
		for _, f := range c.Failures {
			failures = append(failures, fmt.Sprintf("%s: FAIL %s %s\n%s", c.Pass, f.Package, f.Test, f.Output))
		}
		all.Passed, all.Failed, all.Skipped = all.Passed+c.Passed, all.Failed+c.Failed, all.Skipped+c.Skipped
	}
	for _, f := range failures {
		io.WriteString(out, f)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", all.Passed, all.Failed, all.Skipped)
	return nil
}
