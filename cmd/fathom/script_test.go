package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestScripts runs testdata/script/*.txtar: the commands as a user types them.
//
// A script is a list of commands, then files in the txtar format, with which
// its folder starts. The language is a part of that of Go's own testscript:
//
//	[!] exec PROGRAM [ARGUMENT...]  run it; ! wants it to fail
//	exits CODE PROGRAM [ARGUMENT..] run it; it must exit with the code
//	stdin FILE|stdout               what the next program reads
//	[!] stdout|stderr REGEXP        search in the last program's output
//	cmp FILE|stdout|stderr FILE     compare
//	[!] exists FILE                 look for it
//	mode FILE OCTAL                 look at its permissions
//	chmod OCTAL FILE                change them
//	cp FILE|stdout FILE             copy
//	replace FILE OLD NEW            edit
//	serve-status SOCKET FILE        be a tunnel whose status is the file
//
// Words are separated by spaces; single quotes keep a word together, two
// of them inside are one. $WORK is
// the folder. Lines of REGEXP are matched with ^ and $ at every line.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "fathom")); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(strings.ReplaceAll(name, "_", " "), func(t *testing.T) {
			t.Parallel()
			archive, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runScript(t, file, archive, bin)
		})
	}
}

// script is a script that is being run.
type script struct {
	t              *testing.T
	dir            string
	env            []string
	stdin          []byte
	stdout, stderr []byte // of the last program
}

func runScript(t *testing.T, name string, archive []byte, bin string) {
	commands, files := splitArchive(archive)
	// Not t.TempDir, whose path may be too long for a Unix socket.
	dir, err := os.MkdirTemp("", "fathom")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &script{t: t, dir: dir, env: append([]string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir,
	}, commandEnv...)}
	for path, data := range files {
		path = s.path(path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for i, line := range strings.Split(commands, "\n") {
		words := s.words(line)
		if len(words) == 0 {
			continue
		}
		not := words[0] == "!"
		if not {
			words = words[1:]
		}
		if err := s.command(not, words[0], words[1:]); err != nil {
			t.Fatalf("%s:%d: %s\n%v\nstdout:\n%s\nstderr:\n%s", name, i+1, line, err, s.stdout, s.stderr)
		}
	}
}

var fileMarker = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// splitArchive takes the commands and the files of a txtar apart.
func splitArchive(archive []byte) (commands string, files map[string][]byte) {
	files = make(map[string][]byte)
	marks := fileMarker.FindAllSubmatchIndex(archive, -1)
	end := len(archive)
	for _, m := range slices.Backward(marks) {
		files[string(archive[m[2]:m[3]])] = archive[m[1]:end]
		end = m[0]
	}
	return string(archive[:end]), files
}

// words splits a line; a comment has none.
func (s *script) words(line string) (words []string) {
	word, quoted, inside := "", false, false
	doubled := false // the quote before was the first of two
	line += " "
	for i, r := range line {
		switch {
		case r == '\'' && quoted && !doubled && line[i+1] == '\'':
			doubled = true
		case r == '\'' && doubled:
			word, doubled = word+"'", false
		case r == '\'':
			quoted, inside = !quoted, true
		case r == '#' && !inside:
			return words
		case (r == ' ' || r == '\t') && !quoted:
			if inside {
				words = append(words, strings.ReplaceAll(word, "$WORK", s.dir))
			}
			word, inside = "", false
		default:
			word, inside = word+string(r), true
		}
	}
	if quoted {
		s.t.Fatalf("a quote is left open: %s", line)
	}
	return words
}

func (s *script) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// read returns a file, or the last program's output.
func (s *script) read(name string) ([]byte, error) {
	switch name {
	case "stdout":
		return s.stdout, nil
	case "stderr":
		return s.stderr, nil
	}
	return os.ReadFile(s.path(name))
}

// commandWords is how many words each command takes; -1: one or more.
var commandWords = map[string]int{
	"exec": -1, "exits": -1, "stdin": 1, "stdout": 1, "stderr": 1, "cmp": 2, "exists": 1,
	"mode": 2, "chmod": 2, "cp": 2, "replace": 3, "serve-status": 2,
}

func (s *script) command(not bool, name string, args []string) error {
	want, known := commandWords[name]
	if !known || (want < 0 && len(args) < 1) || (want >= 0 && len(args) != want) {
		return errors.New("unknown command, or wrong number of words")
	}
	if not && !slices.Contains([]string{"exec", "stdout", "stderr", "exists"}, name) {
		return errors.New("! has no meaning here")
	}
	switch name {
	case "exec":
		code, err := s.exec(args)
		if err == nil && (code != 0) != not {
			err = fmt.Errorf("exit code %d", code)
		}
		return err
	case "exits":
		want, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		code, err := s.exec(args[1:])
		if err == nil && code != want {
			err = fmt.Errorf("exit code %d", code)
		}
		return err
	case "stdin":
		var err error
		s.stdin, err = s.read(args[0])
		return err
	case "stdout", "stderr":
		text, err := s.read(name)
		if err != nil {
			return err
		}
		re, err := regexp.Compile("(?m)" + args[0])
		if err == nil && re.Match(text) == not {
			err = fmt.Errorf("matches: %v", not)
		}
		return err
	case "cmp":
		got, err := s.read(args[0])
		if err != nil {
			return err
		}
		want, err := s.read(args[1])
		if diff := cmp.Diff(string(want), string(got)); err == nil && diff != "" {
			err = fmt.Errorf("differs (-want +got):\n%s", diff)
		}
		return err
	case "exists":
		_, err := os.Lstat(s.path(args[0]))
		if not && err == nil {
			return errors.New("it exists")
		} else if not && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	case "mode":
		info, err := os.Stat(s.path(args[0]))
		if err == nil && fmt.Sprintf("%04o", info.Mode().Perm()) != args[1] {
			err = fmt.Errorf("mode %04o", info.Mode().Perm())
		}
		return err
	case "chmod":
		mode, err := strconv.ParseUint(args[0], 8, 32)
		if err != nil {
			return err
		}
		return os.Chmod(s.path(args[1]), fs.FileMode(mode))
	case "cp":
		data, err := s.read(args[0])
		if err != nil {
			return err
		}
		return os.WriteFile(s.path(args[1]), data, 0o600)
	case "replace":
		data, err := s.read(args[0])
		if err == nil && !bytes.Contains(data, []byte(args[1])) {
			err = errors.New("not there")
		}
		if err != nil {
			return err
		}
		return os.WriteFile(s.path(args[0]), bytes.ReplaceAll(data, []byte(args[1]), []byte(args[2])), 0o600)
	default: // serve-status
		data, err := s.read(args[1])
		if err != nil {
			return err
		}
		return serveStatus(s.t, s.path(args[0]), data)
	}
}

// exec runs a program and returns its exit code.
func (s *script) exec(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("which program?")
	}
	program := args[0]
	if program == "fathom" {
		program = filepath.Join(strings.TrimPrefix(strings.SplitN(s.env[0], ":", 2)[0], "PATH="), program)
	}
	c := exec.Command(program, args[1:]...)
	c.Dir, c.Env = s.dir, s.env
	var stdout, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(s.stdin), &stdout, &stderr
	s.stdin = nil
	err := c.Run()
	s.stdout, s.stderr = stdout.Bytes(), stderr.Bytes()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}
