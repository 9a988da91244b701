package pmtud

// Counts are what Discoveries have done and met. They only grow. The Discoveries of
// one peer share them, so that they outlive each; all belong to one goroutine.
type Counts struct {
	Probes     uint64 // that Poll returned
	Acked      uint64 // probes that were acknowledged, in fragments included
	BlackHoles uint64 // suspicions that probes have confirmed
	// FalseAlarms are suspicions of a smaller MTU that probes or data have contradicted.
	FalseAlarms uint64
	// PTBsBelieved were acted on: the PLPMTU went down until probes had answered, or
	// the MTU was the next size to probe. PTBsRefused were not: they were unproved,
	// too small, contradicted, or said nothing new. A refused one may still cause a
	// verification.
	PTBsBelieved, PTBsRefused uint64
}

// ptb counts one.
func (c *Counts) ptb(believed bool) {
	if believed {
		c.PTBsBelieved++
	} else {
		c.PTBsRefused++
	}
}
