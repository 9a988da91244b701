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
}

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
	show := func(of test) {
		if text := held[of]; text != nil {
			io.WriteString(out, text.String())
		}
		delete(held, of)
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
		case e.Action == "output" && e.Test != "" && !verbose:
			if held[of] == nil {
				held[of] = new(strings.Builder)
			}
			if !strings.HasPrefix(e.Output, "=== ") {
				held[of].WriteString(e.Output)
			}
		case e.Action == "output" && e.Test == "" && e.Output == "PASS\n":
		case e.Action == "output" || e.Action == "build-output":
			io.WriteString(out, e.Output)
		case e.Test == "" && e.Action == "fail":
			if !failedIn[e.Package] { // it was not built, or ended amid its tests
				c.Failed++
			}
			for of := range held {
				if of.pkg == e.Package {
					show(of)
				}
			}
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
			show(of)
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
	for decoder := json.NewDecoder(f); decoder.More(); {
		var c count
		if err := decoder.Decode(&c); err != nil {
			return err
		}
		for _, figure := range c.Figures {
			fmt.Fprintf(out, "%s: %s\n", c.Pass, figure)
		}
		all.Passed, all.Failed, all.Skipped = all.Passed+c.Passed, all.Failed+c.Failed, all.Skipped+c.Skipped
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", all.Passed, all.Failed, all.Skipped)
	return nil
}
