package tunnel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// historyFile is where a history outlives the process: two files, NAME and NAME.1, to
// which records are appended. When the first is full it takes the place of the second. A
// goroutine of its own writes, since a disk may be slow: the control goroutine hands over
// what is to be written and goes on.
type historyFile struct {
	name string
	size int64 // bytes that the first may have
	log  *slog.Logger
	// append writes behind the end of the first file: see appendTo.
	append func(name string, data []byte, size int64) error

	wake chan struct{} // holds a token while there may be something to write
	end  chan struct{} // closed when nothing more comes

	mu      sync.Mutex
	waiting []byte // guarded by mu
}

// maxHistoryWaiting bounds what a disk that hangs leaves unwritten, in bytes.
const maxHistoryWaiting = 1 << 20

func newHistoryFile(name string, size int, log *slog.Logger) *historyFile {
	return &historyFile{name: name, size: int64(size), log: log, append: appendTo, wake: make(chan struct{}, 1), end: make(chan struct{})}
}

// older is the name of the second file.
func older(name string) string { return name + ".1" }

// ReadHistory returns what the file of a history holds: of its two parts, the older one
// first, at most size bytes each, from the end. What is not there is empty.
func ReadHistory(name string, size int64) (parts [2][]byte, err error) {
	var errs []error
	for i, part := range []string{older(name), name} {
		data, err := readEnd(part, size)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("history: %w", err))
		}
		parts[i] = data
	}
	return parts, errors.Join(errs...)
}

// readEnd reads at most the given number of bytes from the end of a regular file.
// Whatever else has its name is an error, and holds nobody up.
func readEnd(name string, atMost int64) ([]byte, error) {
	f, err := openRegular(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(max(info.Size()-atMost, 0), io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, atMost))
}

// openRegular opens a regular file, and waits for nobody where a pipe has its name.
func openRegular(name string, flags int) (*os.File, error) {
	f, err := os.OpenFile(name, flags|syscall.O_NONBLOCK, 0o640)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// write hands over what is to be written. It never waits.
func (h *historyFile) write(data []byte) {
	h.mu.Lock()
	if len(h.waiting)+len(data) <= maxHistoryWaiting {
		h.waiting = append(h.waiting, data...)
	}
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// take returns what waits.
func (h *historyFile) take() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	data := h.waiting
	h.waiting = nil
	return data
}

// run writes until close is called, and then what still waits. What could not be written
// is lost; it tells of that once, until something can be written again.
func (h *historyFile) run() {
	failing := false
	for ended := false; !ended; {
		select {
		case <-h.wake:
		case <-h.end:
			ended = true
		}
		data := h.take()
		if len(data) == 0 {
			continue
		}
		err := h.append(h.name, data, h.size)
		if err != nil && !failing {
			h.log.Warn("cannot write the history", "error", err, "hint", "free the disk, or choose another tunnel.history_file; until then it is kept in memory alone")
		}
		failing = err != nil
	}
}

func (h *historyFile) close() { close(h.end) }

// appendTo appends data to a file with one write, and begins a new file if the size would
// be exceeded. The file is opened each time: others may have moved or removed it.
func appendTo(name string, data []byte, size int64) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode().IsRegular() && info.Size()+int64(len(data)) > size:
		if err := os.Rename(name, older(name)); err != nil {
			return err
		}
	}
	f, err := openRegular(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
