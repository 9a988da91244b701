package status

// EchoReport says that a peer has answered: an authentic reply has come to an echo
// that was sent after the request.
type EchoReport struct {
	Peer      string  `json:"peer"`
	Endpoint  string  `json:"endpoint"` // host:port
	RTTMillis float64 `json:"rtt_ms"`   // from the echo to its reply
}
