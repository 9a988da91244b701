// Package paths keeps the pairs by which one peer can be reached, proves them by
// challenges, and names the one to send by: path validation and migration as in
// RFC 9000 sections 8.2 and 9, for two ends that may both have several uplinks and
// addresses, and may both move.
//
//	what the host offers, what is gone ────┐           ┌─▶ Current: the pair to send by
//	packets, by which pair they came ──────┼─▶  Set  ──┼─▶ challenges, responses, each by a pair
//	challenges, responses, handshakes ─────┤           ├─▶ Deadline, Moves, History, Status
//	counters, unanswered report requests ──┘           └─▶ Spend: what an unproved place may get
//
// A Pair is an interface, a local address, and a remote address and port. Nothing
// is told about addresses: an end learns those of its peer from where packets
// come.
//
// # The parts
//
// Set joins parts that know nothing of it:
//
//	path           a pair and what is known of it: state (state.go), challenges, round trip
//	list           the paths, bounded; which one goes when there are too many
//	strangers      how often a place is challenged that was never proved
//	allowance      what such a place may be sent: three times what came from it
//	silence        whether data has no answer
//	contest        which pair works, when the one in use is in doubt
//	decision       who decides, and by which number (generation.go)
//	steadiness     whether a pair is worth a change while another works
//	history        the last moves
//
// and does so in candidates.go (what the host says), roaming.go (where the peer is
// heard), selection.go (what is better) and look.go (what is due).
//
// # A pair is proved
//
// A challenge carries a random token. Its response leaves by the pair that the
// challenge came by (8.2.2) and proves the pair that the challenge left by,
// whatever way it takes itself (8.2.3). A handshake proves its pair, too. Three
// challenges in a row without an answer make a pair fail; it is tried again after
// 1, 2, 4 … 30 s. A proof is good for 30 s and is then stale, which no timer
// notices: it matters only when the pair is to be used.
//
// For a minute after the last data, or always with keepalive, the host's other
// pairs are challenged every 15 s. Pairs that are known only because the peer
// was heard there are challenged when it challenges by them. So a standby pair
// costs some two packets each way in 15 s, whichever end has it.
//
// # The pair in use is in doubt
//
// Then a contest begins: all that take part are challenged at once, the pair in
// use as well (9.3.3). It stays if it answers. Otherwise one that has answered
// follows it, as soon as the pair in use has had the time of its round trip. So
// nothing moves without a proof, and a faster pair does not win for being faster.
//
//	sign                                         takes part             cause
//	3 report requests unanswered, the first of
//	  them SRTT + 4 RTTVAR ago                   all pairs              silent
//	data sent, nothing heard for
//	  max(4 SRTT, 500 ms)                        all pairs              silent
//	the same for SRTT + 4 RTTVAR, and a
//	  challenge unanswered for as long again     all pairs              silent
//	the peer says that it is so (stalled)        all pairs              peer
//	the host offers the pair no more             all pairs              link_down
//	the newest packet came from elsewhere        where the peer sends   peer
//
// In the last case, the pair in use has two round trips, since copies with a
// forged source and NATs that share the packets of one peer look the same. A copy that
// overtakes its original makes a replay of the latter, so that all that is heard
// seems to come from elsewhere. It moves nothing: the token that was sent to the
// old place comes back. A contest that the pair in use wins is followed by a pause,
// which doubles up to 8 s.
//
// A pair that is gone (Withdraw) is left at once, for a proved one if there is any.
// The peer is told: by a decision, or by the flag stalled.
//
// # One end decides
//
// The end that has several pairs of its own decides for both, of two such ends the
// one with the greater public key. Its decision is a challenge with the flag use,
// which leaves by the new pair until a response carries its generation. The
// follower obeys the highest generation that it was told, once the pair is proved.
// So decisions that overtake each other, repetitions and copies lead to one result.
//
// Both ends find out by themselves that a pair is dead, and the follower gives the
// decider two round trips to say where to go. Then it goes by itself; later, when
// the pair that was decided on has become reliable again, it returns there.
//
// Where no end decides, each chooses for itself, and follows the other by the
// table above. Two ends may then send by different pairs, each of which works.
//
// # Moves without need
//
// A pair of lower cost is returned to after five answers in a row over 30 s or
// more. That wait doubles up to 10 min each time the pair fails within a minute. Of pairs
// of one cost, one is preferred whose round trip is shorter by a tenth and 5 ms
// in three challenges running while data flows. Such moves are 30 s apart.
//
// # One pair costs nothing
//
// With one pair nothing is sent and nothing is timed but at a move: when the
// pair is gone and another comes, or when the peer is heard elsewhere.
//
// # What the network can do
//
//   - A place that was never proved is challenged once a second at most, all
//     such places of a peer together ten times a second, and ten at once.
//   - Unless the host offers it, it gets at most three times the bytes that came
//     from it, challenges and responses included. Data goes there only if it
//     is all there is (Spend).
//   - There are at most 16 pairs. Those that the host offers, at most 12, never
//     make room for those that were heard.
//   - A peer that says that it has stalled costs a challenge by each pair, no more
//     often than contests may begin.
//
// # Where it differs from RFC 9000
//
//   - 8.2.4: a pair fails after three challenges that each had a timeout, instead of
//     after three PTOs.
//   - 9.3.3: the former place is challenged together with the new one, before
//     the move instead of after it.
//   - 9.4: round trips are kept for each pair, and are not reset by a move.
//   - 9.6: there is no preferred address; costs and generations take its place.
//   - The place stays the peer's when only our own address changes: data to it
//     waits for no new proof.
//
// # For the caller
//
// A peer that knows no challenges is sent an echo with the token instead: its
// answer proves as much, since the token went nowhere else. It cannot follow
// decisions, so nobody decides. Bytes of ESP, elements of messages and PLPMTUs are
// the caller's business, and so is the choice of what counts as data: messages of
// the tunnel itself must not, or two ends would keep each other busy for ever.
package paths
