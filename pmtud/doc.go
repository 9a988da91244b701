// Package pmtud finds the PLPMTU of a path and keeps it true: Datagram
// Packetization Layer Path MTU Discovery (RFC 8899), by that RFC's names.
//
//	new endpoint, egress MTU, EMSGSIZE ─┐                ┌─▶ PLPMTU
//	acks, receive reports, PTBs, time ──┼─▶ Discovery ───┼─▶ probes and report requests to send
//	sizes of the packets sent (SentLog) ┘                └─▶ Deadline, History
//
// A Discovery is that of one path to a peer, for the direction to it. All sizes are bytes of
// the outer IP packet, among the sizes that a packet can have (grid.go): for ESP
// those are four apart. The PLPMTU is exact when the next of them does not fit.
//
// # The parts
//
// Discovery joins parts that know nothing of it:
//
//	search      which sizes passed and failed; plans a fan (fan.go, spread.go, prior.go)
//	budget      how much a fan may hold
//	round       the fan in flight, and when it is over
//	probes      the last probes, by id
//	requests    when to ask the peer for a report
//	detector    which large packets vanish, according to reports (tally.go)
//	suspension  the PLPMTU in question while a suspicion lasts
//	raiser      PMTU_RAISE_TIMER
//	ptbTrust    whether validated PTBs count
//	rtt         the round-trip estimate
//	standby     what is kept while another path to the peer is in use
//
// # The search
//
// A fan of probes leaves once a round trip (round.go), largest first, and ends
// with a sentinel of a size that passes. The ack of the sentinel tells that the
// unanswered probes were lost, so no timer has to be guessed. The sizes
// divide the possible MTUs of the path into equally likely pieces (spread.go):
// common MTUs are more likely, and sizes above a failed probe unlikely but not
// impossible. A larger size is used as soon as it is acknowledged. The search
// ends when the next size has failed MAX_PROBES times, two times more where
// fitting probes were lost.
//
// # Black holes
//
// While data flows, a small report request leaves about every half round trip
// (requests.go), and its answer says which packets have arrived. If the larger
// sizes are all lost while smaller ones arrive (detector.go), or if no answer
// comes, a black hole is suspected. The PLPMTU is then MIN_PLPMTU at once, and a
// fan that holds the former size twice decides one round trip later
// (suspension.go). Where only a few large packets are missing, and nothing of
// their size has come since, a fan confirms the PLPMTU in use before anything
// changes (verification.go): a flow that has stalled sends one packet a timeout,
// and must not wait for a second loss. A fan without any answer means an outage,
// and the first answers after it decide.
//
// # Traffic
//
// With M the largest size probed, a fan is at most ten packets and
// max(14720, 2·M) bytes and a few sentinels (RFC 9002, 7.2), one a round trip.
// In a search beyond Ethernet's size, a fan that lost no fitting probe lets the
// next one have twice the bytes, as slow start would. If half of the small probes
// were lost, the next fan has half the packets and bytes. A search up to
// Ethernet's size takes some 35 kB in all. After it there is one fan, rarely more,
// at each raise, 5, 10, 20 … 600 s apart: some 350 bit/s over an hour.
// Requests, of some 80 bytes, take at most 640 bit each max(RTT/2, 20 ms): 32 kbit/s.
// There is no more than one for 2400 bytes of data, or, where packets above
// MIN_PLPMTU are among them, for four such intervals. A report has the size of a
// request, and 8 bytes more for each 64 packets since the last report but three.
// At 64 kbit/s, even in a voice call, requests and reports take less than five
// percent each; at 10 Gbit/s they take less than 50 kbit/s.
//
// # Several paths
//
// Where a peer can be reached by several paths, each has a Discovery of its own, so
// that nothing has to be found again at a switch (standby.go). One is in use. The
// others search once and confirm what they know at PMTU_RAISE_TIMER. Replace puts one
// of them in use: its PLPMTU applies to the first packet, and a fan confirms it. All
// send on one SA, so SentLog tells by which path a packet went: its loss accuses no
// other. Where no answer comes at all, the paths are tried before the size is
// suspected (Doubt).
//
// # RFC 8899, section by section
//
//	3 (1)     no larger packet but probes     the caller obeys PLPMTU
//	3 (2)     DF, no source fragmentation     the caller's sockets; Ack tells of a cleared DF
//	3 (3)     feedback of the receiver        Ack, Report
//	3 (4)     probes without user data        the caller's; a lost probe changes nothing but the search
//	3 (5)     local MTU bounds                Endpoint.EgressMTU, EgressMTU, LocalTooBig
//	3 (6)     PTBs are validated, not raising ptb.go
//	3 (7)     one round trip between probes   round.go: Sequential to the letter, Fan between fans (below)
//	4.1       probes are identifiable         Action.ID: generation ‖ counter, inside ESP
//	4.2       confirmation                    Ack
//	4.3       black holes, all three signs    ptb.go, detector.go, requests.go
//	4.4       MPS                             the caller: inner MTU of PLPMTU
//	4.5       PMTUD off                       the caller's sockets
//	4.6.1     validation of PTBs              PTB.Validated, by the caller
//	4.6.2     use of PTBs                     Discovery.PTB, case by case
//	5.1.1     PROBE_TIMER                     round.timeout, Config.ProbeTimer
//	          PMTU_RAISE_TIMER                raiser.go, Config.RaiseTimer
//	          CONFIRMATION_TIMER              none: MUST NOT be used where the peer acknowledges
//	5.1.2     MAX_PROBES, MIN_, MAX_, BASE_   Config, grid
//	5.1.3     PROBED_SIZE                     ProbeRecord.Size
//	          PROBE_COUNT                     failure.count, for each size
//	5.1.4     phases                          state.go
//	5.2       state machine, one for a path   state.go, the table; standby.go
//	5.3.1     probing for a larger PLPMTU     round.go
//	5.3.2     selection of sizes              fan.go, spread.go, prior.go: commonMTUs
//	5.3.3     inconsistent paths              late acks reopen; evidence doubles after false alarms
//	5.4       below BASE_PLPMTU               Error searches from MIN_PLPMTU up
//	6.1       application data and acks       the caller's control messages in ESP
//	8         load, forged PTBs               budget.go, ptbtrust.go: contradicted PTBs are ignored for a while
//
// Where it differs, on purpose:
//
//   - 3 (7), 8: a fan holds several probes within one round trip, bounded as
//     above. Sequential keeps to one probe a round trip.
//   - 5.1.1: in a fan, acknowledgments tell losses; PROBE_TIMER bounds how long
//     an unanswered fan is waited for; where round trips are short, so is the wait.
//   - 5.1.1: after a reduction and after the first search, raises begin at 5 s.
//   - 5.2: PROBE_COUNT is kept for each size, so that failures of different
//     sizes do not end a search. Nothing passing at all, not even MIN_PLPMTU, keeps
//     ERROR and its probes; a caller that knows that the peer is gone calls Stop.
//   - 5.2: a validated PTB below BASE_PLPMTU in BASE does not enter ERROR before
//     probes have agreed, and one of the PLPMTU itself does not end a search.
//   - 4.3: while a black hole is suspected, for about a round trip, the PLPMTU is
//     MIN_PLPMTU. BASE_PLPMTU may not pass either, and a packet that TCP sends
//     again must not be lost again.
//   - 4.6.1: a PTB that is not validated causes at most a rate-limited
//     verification of the PLPMTU; in Sequential nothing.
//
// # Limits
//
// The package neither sends nor receives, starts no goroutine, reads no clock and
// logs nothing. Package tunnel does the I/O, validates PTBs, and converts a
// PLPMTU to an inner MTU with package esp.
package pmtud
