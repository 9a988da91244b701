package tunnel

import "fathom/tunnel/host"

// uplinkNames are the names of the interfaces by which the host has offered ways to a
// peer, by their indexes. They outlive the interfaces, so that the history of moves can
// name them. Owned by the control goroutine; the zero value is empty.
type uplinkNames map[int]string

// maxUplinkNames bounds them: an interface that comes and goes, such as ppp0, has
// another index each time.
const maxUplinkNames = 64

// learn takes note of the ways that the host offers now.
func (n *uplinkNames) learn(ways []host.Way) {
	if *n == nil || len(*n)+len(ways) > maxUplinkNames {
		*n = make(uplinkNames)
	}
	for i := range ways {
		if w := &ways[i]; w.By() != 0 {
			(*n)[w.By()] = w.Uplink
		}
	}
}
