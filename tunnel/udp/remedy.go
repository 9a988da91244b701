package udp

// remedy is what an Outbox does about a full socket.
type remedy uint8

const (
	// wait until there is room. Nothing is read meanwhile, so what the hosts send
	// stays with them: the back-pressure of docs/datapath.md.
	wait remedy = iota
	// part gives the destination an outlet of its own. If there is none to
	// spare, its data is lost.
	part
	// rejoin takes the destination back to the common outlet.
	rejoin
	// lose refuses the data with ErrFull.
	lose
)

// fullSocket is the situation of an Outbox before a full socket.
type fullSocket struct {
	waits   bool // the outbox may wait
	several bool // there are outlets beside the common one
	company bool // data can go to other destinations as well
	own     bool // the socket is the destination's own outlet
}

// remedy decides. To wait for one destination is to let all wait, so it is for
// the only one. In company a destination that finds no room in its
// own outlet loses what it sends: the others do not notice.
func (f fullSocket) remedy() remedy {
	switch {
	case !f.waits:
		return lose
	case !f.several:
		return wait
	case !f.company && f.own:
		return rejoin
	case !f.company:
		return wait
	case f.own:
		return lose
	}
	return part
}
