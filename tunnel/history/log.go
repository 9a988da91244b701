package history

// A Log keeps the last records in memory, encoded: at most limit bytes, and when that is
// full at least half of it. One goroutine may add, and any may read a Snapshot.
type Log struct {
	half       int // bytes of a generation
	old, young []byte
}

// NewLog returns a log of at most limit bytes, which holds the end of what a file held.
func NewLog(limit int, before ...[]byte) *Log {
	l := &Log{half: max(limit/2, MaxFrame)}
	for _, data := range before {
		if excess := len(data) - l.half; excess > 0 {
			data = data[excess:] // Decode finds the first frame behind the cut
		}
		l.add(data)
	}
	return l
}

// Add adds an encoded record.
func (l *Log) Add(frame []byte) { l.add(frame) }

func (l *Log) add(data []byte) {
	if len(l.young)+len(data) > l.half {
		l.old, l.young = l.young, nil
	}
	l.young = append(l.young, data...)
}

// Snapshot is what a log held at a moment. Its bytes do not change any more.
type Snapshot [2][]byte

// Snapshot returns what the log holds.
func (l *Log) Snapshot() Snapshot {
	return Snapshot{l.old[:len(l.old):len(l.old)], l.young[:len(l.young):len(l.young)]}
}
