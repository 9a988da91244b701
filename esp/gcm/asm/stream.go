package main

// A stream is a sequence of instructions that depend on one another, each as the
// call that appends it.
type stream []func()

func (s *stream) add(f func()) { *s = append(*s, f) }

// emit appends the streams side by side, each spread evenly. The processor then
// finds work of all of them in its window.
func emit(streams ...stream) {
	var longest int
	for _, s := range streams {
		longest = max(longest, len(s))
	}
	for i := range longest {
		for _, s := range streams {
			for _, f := range s[i*len(s)/longest : (i+1)*len(s)/longest] {
				f()
			}
		}
	}
}
