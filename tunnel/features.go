package tunnel

// The features that the ends name in a handshake.
const (
	// featurePaths: the end understands challenges of paths.
	featurePaths = 1 << iota
	// featureDecides: the end has several pairs of its own, and decides for both.
	featureDecides
	// featureHops: the end measures the hops of its direction when it is asked to.
	featureHops
	// featureFacts: the end tells how it is set up when it is asked.
	featureFacts
)

// features are what this end names in a handshake with the peer.
func (p *peer) features() uint64 {
	if p.decides {
		return featurePaths | featureHops | featureFacts | featureDecides
	}
	return featurePaths | featureHops | featureFacts
}
