package status

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fathom/tunnel/history"
)

// History is what a tunnel remembers of its peers: the document that `fathom history
// --json` prints.
type History struct {
	Schema string `json:"schema"` // HistorySchema
	Name   string `json:"name"`   // of the tunnel
	// Running says that the tunnel runs, so that what the last records say holds still.
	Running bool `json:"running"`
	// From and To bound the time that was asked for. From is later if there were too many
	// records.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Peers are the names of those that were asked for.
	Peers []string `json:"peers"`
	// Records are what happened and what flowed, in the order in which it was recorded.
	// Those before From say what held then.
	Records []history.Record `json:"records"`
}

// HistoryQuery is what is asked of a tunnel's history.
type HistoryQuery struct {
	Peer  string        // empty: all peers
	Since time.Duration // how far back
}

// String is the query as a request has it.
func (q HistoryQuery) String() string {
	return fmt.Sprintf("%s %d", cmp.Or(q.Peer, allPeers), q.Since/time.Second)
}

// maxSince bounds how far back a history is asked for, in seconds: a century.
const maxSince = 100 * 366 * 24 * 60 * 60

func parseHistoryQuery(s string) (HistoryQuery, error) {
	peer, since, _ := strings.Cut(s, " ")
	seconds, err := strconv.ParseUint(since, 10, 64)
	if err != nil || peer == "" || seconds > maxSince {
		return HistoryQuery{}, errBadRequest
	}
	if peer == allPeers {
		peer = ""
	}
	return HistoryQuery{peer, time.Duration(seconds) * time.Second}, nil
}
