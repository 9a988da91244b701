package paths

// A State says what is known of a pair.
type State uint8

const (
	Unknown State = iota // nothing was asked yet
	Tried                // a challenge is under way, and none was ever answered
	Proved               // the peer has answered by it
	Stale                // likewise, but more than staleAfter ago
	Failed               // challenges remain unanswered
)

var stateNames = [...]string{"unknown", "tried", "proved", "stale", "failed"}

func (s State) String() string { return stateNames[s] }

// An event may cause a transition.
type event uint8

const (
	asked    event = iota // a challenge has left
	answered              // a challenge was answered, or a handshake has come by the pair
	aged                  // the last answer is older than staleAfter
	gaveUp                // enoughUnanswered challenges in a row remain unanswered, or a contest was lost
)

// The state machine of a pair:
//
//	UNKNOWN ── asked ──▶ TRIED ── answered ──▶ PROVED ◀── answered ──┐
//	   │                   │                    │   │                │
//	   │ answered: PROVED  │ gaveUp      gaveUp │   │ aged           │
//	   │ gaveUp            ▼             gaveUp │   ▼                │
//	   └────────────────▶ FAILED ◀──────────────┴─ STALE ────────────┤
//	                       │                                         │
//	                       └─────────────────────────────────────────┘
//
// What is not listed changes nothing.
var transitions = []struct {
	from State
	on   event
	to   State
}{
	{Unknown, asked, Tried},
	{Unknown, answered, Proved}, // by a handshake
	{Unknown, gaveUp, Failed},   // in use without a proof, and lost a contest
	{Tried, answered, Proved},
	{Tried, gaveUp, Failed},
	{Proved, aged, Stale},
	{Proved, gaveUp, Failed},
	{Stale, answered, Proved},
	{Stale, gaveUp, Failed},
	{Failed, answered, Proved},
}

// after returns the state that follows an event.
func (s State) after(e event) State {
	for _, t := range transitions {
		if t.from == s && t.on == e {
			return t.to
		}
	}
	return s
}
