package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"fathom/test/netlab"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	rounds := flag.Int("rounds", 5, "how often each variant takes its turn")
	length := flag.Duration("time", 3*time.Second, "length of one measurement")
	only := flag.String("only", "", "measure only what this `regexp` finds in \"scene/variant/load\"")
	folder := flag.String("write", "", "write benchmark.md and benchmark.svg to this `folder` as well")
	flag.Func("also", "let another build of the command take part: `NAME=FILE`", func(s string) error {
		name, file, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("not of the form NAME=FILE")
		}
		for i := range scenes {
			scenes[i].contenders = append(scenes[i].contenders, otherBuild("fathom, "+name, file))
		}
		return nil
	})
	flag.Parse()
	if !netlab.Entered() && netlab.Available(netlab.Namespaces) != nil {
		code, err := netlab.EnterUserNamespace()
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d", code)
		}
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	dir, err := os.MkdirTemp("", "fathom-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs, err := build(dir)
	if err != nil {
		return err
	}
	r := newResults(*rounds, *length)
	for i := range scenes {
		if err := r.run(&scenes[i], programs, wanted); err != nil {
			return fmt.Errorf("%s: %w", scenes[i].name, err)
		}
	}
	text := r.markdown()
	fmt.Print(text)
	if *folder != "" {
		if err := os.WriteFile(filepath.Join(*folder, "benchmark.md"), []byte(text), 0o644); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(*folder, "benchmark.svg"), []byte(r.svg()), 0o644)
	}
	return nil
}

// run measures one scene, in a laboratory of its own.
func (r *results) run(s *scene, programs programs, wanted *regexp.Regexp) (err error) {
	defer netlab.Catch(&err)
	var taking []contender
	for _, c := range s.contenders {
		for _, l := range s.loads {
			if wanted.MatchString(strings.Join([]string{s.name, c.name, l.name}, "/")) {
				taking = append(taking, c)
				break
			}
		}
	}
	if len(taking) == 0 {
		return nil
	}
	lab, err := netlab.New()
	if err != nil {
		return err
	}
	defer lab.Close()
	place := s.lay(lab)
	for round := range r.rounds {
		for _, c := range taking {
			v, err := c.start(place, programs)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			for _, l := range s.loads {
				if !wanted.MatchString(strings.Join([]string{s.name, c.name, l.name}, "/")) {
					continue
				}
				figures, err := l.measure(v, r.length)
				if err != nil {
					v.stop()
					return fmt.Errorf("%s, %s: %w", c.name, l.name, err)
				}
				r.add(s, l, c.name, figures)
				fmt.Fprintf(os.Stderr, "%d  %-18s %-26s %-28s", round+1, s.name, c.name, l.name)
				for i, f := range figures {
					fmt.Fprintf(os.Stderr, " %9.2f %s", f, l.columns[i])
				}
				fmt.Fprintln(os.Stderr)
			}
			v.stop()
		}
	}
	return nil
}
