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
//	deliveries  how large and small packets fare, according to reports (delivery.go)
//	rhythm      whether losses are too regular for chance
//	trial       the size with which most arrives, where sizes pass only sometimes
//	recheck     whether the size of a trial passes, by probes, while no data flows
//	comparison  whether the PLPMTU passes only sometimes, by probes, whatever data flows
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
// and must not wait for a second loss.
//
// Soon after a suspicion that probes have contradicted, the next one changes nothing
// before three fans in a row have agreed (alarm.go), so that the PLPMTU does not go to
// and fro: a policer may lose all large packets of one fan. Soon is a minute, and twice
// as long after each that is contradicted, up to 32 minutes. A PTB is then judged by the
// fate of the packet that it quotes: one that has arrived belies it, and one that was
// lost confirms it, whatever other packets of the size do.
//
// # Outages
//
// Several fans without any answer, not even to probes of MIN_PLPMTU, are an outage
// (outage.go), and that is not about size. The state is Unreachable and the PLPMTU
// stays as it was; the first fan that is answered has probes of that size. An outage
// has one entry in the history, and a suspicion that proves false has none.
//
// An end that stood still, as Poll coming late shows, begins to wait anew, once: what has
// come meanwhile waits to be read (stoodstill.go).
//
// # Sizes that pass only sometimes
//
// Links of different MTUs that are bonded packet by packet, a filter that treats data
// otherwise than probes, or a tunnel below that fragments: there an acknowledged probe
// says that a size can pass, and only data says whether it does. Reports give the
// losses of large packets, those of about the PLPMTU, and of small ones
// (delivery.go), with a weight that halves each 30 s. Probes do not count.
//
// A trial of a smaller size begins when large packets seem lost for their size:
//
//   - strongly, by Page's CUSUM over the partial likelihood of losses: given that a
//     packet was lost, was it a large one? With a relative risk of 8 against 1 and
//     the threshold ln 10,000, loss of all sizes alike gives a false sign in 10,000
//     losses or more, on average (Lorden's bound), whatever it is and however it
//     changes. This test needs no loss rate, which a path does not keep. Packets lost in a
//     row count as one, since a train finds no room as a whole;
//   - or in a row, where all is lost that is large and is data, for three loss events;
//   - or weakly, if so few small packets are sent that the test would take minutes. Then
//     8 loss events do, if no more small packets were lost than half of the evidence
//     allows, and if TCP sends about as much as such losses let it.
//
// A connection that has lost most of its large packets backs off: it sends one in many
// seconds, and no test of data is soon enough. So where probes contradict each other, a
// comparison begins (comparison.go): after a verification that loses some of its large
// probes and few small ones, after a suspicion that probes have contradicted, and after a
// search that has lost probes of sizes that pass. Its fans are verifications of four pairs of
// a large and a small probe, one a round trip. They count like losses of data, in the same
// CUSUM: given that a probe was lost behind one that has arrived, was it a large one? That
// begins a trial at once, with the losses of the probes in its record, where a twentieth or more
// of the large data was lost, too, or no large data was sent. A fan counts for nothing
// while data waits in a queue. A comparison ends after two fans in a row that lose no
// large probe, and after 24. The next one begins after 1, 2, 4 … 60 s. Three fans in a row of
// which no large probe has passed are a black hole.
//
// No strong and no weak sign counts while loss events come in a rhythm (rhythm.go), with a
// standard deviation of the packets between them of at most half the mean: a policer has
// no queue that betrays it, but chance has no memory. Nor is about as much loss as a
// trial has shown, within the hour, to be as high with a smaller size.
//
// The first sign starts a record, so that no trial is compared with a moment that was
// chosen for its losses. Then the PLPMTU goes to the size that a true PTB has told, or
// Ethernet's, BASE_PLPMTU, or at last MIN_PLPMTU, and a sequential likelihood ratio test
// compares loss events (RFC 5348, 5.2) with the record: at odds of 1000 there are
// fewer, at odds of 20 there are not half as few, and after a minute there are not.
//
// The test is not of payload × delivered. For TCP, one packet lost in a hundred costs
// far more than a hundredth: it carries about size/(RTT·√loss) (RFC 5348, 3.1; CUBIC
// does so in its TCP-friendly region), up to what the path has. So losses are compared
// as loss/size². A connection that fills the path makes its own losses, which by that
// measure are the same by any size: a smaller one is no better, and a full queue no
// reason. Fewer losses are not enough either. A smaller size settles only if
// payload × delivered is more by each packet, as where half is lost, or if a tenth more
// payload arrives in all, as where TCP was held back by one percent. If neither shows in
// ten seconds, the larger size was as good, and comes back. The next trial may begin
// after 1, 4, 16 … 60 minutes.
//
// Load changes meanwhile: a queue that was full while the larger size was in use, such as
// that of the own interface, may be empty during the trial. So where at least a
// twentieth was lost, and no PTB has told of the size, a control follows:
// the larger size is used again. The smaller one settles only if the larger one loses
// half as much as before or more, in three loss events without a queue, or in 16 with one.
//
// From the size that has settled, larger ones are tried once a minute, in halves of
// what is unknown, and once it is known to a 64th, the size that lost every
// PMTU_RAISE_TIMER. They stay if they lose fewer than that one did and carry what the
// smaller one did: the same kind of evidence, and the same odds, as on the way down
// (RFC 8899, 5.3.3). They go back after five seconds in which less arrived, and at once
// after a PTB. So there are no more than three changes in a minute. A fan of which five
// probes pass, up to beyond all sizes that have lost, ends it all: the path is another one.
//
// A size that has settled, or is on trial, may lose itself. It has a trial below it in the
// same way: at once if a twentieth or more is lost, and else not before a larger size is
// due, which waits a minute at most while packets of the settled size seem lost for it.
// What had settled before is resumed when it passes again.
//
// Where no large data has flowed for five seconds, or one in a control, probes decide
// whatever trial there is, and raise what has settled (recheck.go): four of the size that
// lost and a small one each second. The size passes if 24 of them do, and eight more for
// each that is lost. It is still lost if two are, or more where small ones are lost, too.
// The first recheck comes at once, and the next ones 15, 30, 60 s … an hour after the
// last. A size that loses one in four passes a recheck once in 600 times, and one in eight
// once in 12. One that loses a hundredth passes, and data has to tell again, which the
// growing waits make rare. A recheck that has not told by 200 probes changes nothing.
// Where no probe of the size has passed in three rechecks in a row, it does not pass at
// all, and a search begins anew from the PLPMTU.
//
// # What the kernel and the engine tell
//
// A probe that the kernel refuses for now (ENOBUFS, EPERM, ENETDOWN) goes to
// ProbeRefused and counts as lost, with half a second at least before the next fan. Data
// that is refused so stays in the SentLog, and reports tell of it as of other losses.
// Confirm asks whether the PLPMTU of an idle path still passes. Probes should leave with
// the DSCP and ECN field of large data; where they pass and the data does not, trials end
// as above.
//
// # Traffic
//
// With M the largest size probed, a fan is at most ten packets and
// max(14720, 2·M) bytes and a few sentinels (RFC 9002, 7.2), one a round trip. Where
// each probe leaves as n packets (Copies), they share it, but no probe is less than n
// packets: a fan is then at most max(10, 3·n) packets, a comparison's
// max(10, 5·n), and max(14720, 2·n·M) bytes.
// In a search beyond Ethernet's size, a fan that lost no fitting probe lets the
// next one have twice the bytes, as slow start would. If half of the small probes
// were lost, the next fan has half the packets and bytes. A search up to
// Ethernet's size takes some 35 kB in all. After it there is one fan, rarely more,
// at each raise, 5, 10, 20 … 600 s apart: some 350 bit/s over an hour. A recheck that
// passes takes some 40 kB in six seconds; one that does not takes some 15. A comparison
// takes 9 kB a round trip, for two round trips where nothing is lost for its size, for
// about eight where it is, and for 24 at most.
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
//	          CONFIRMATION_TIMER              the caller's, of an idle path: Confirm. Data is acknowledged by reports
//	5.1.2     MAX_PROBES, MIN_, MAX_, BASE_   Config, grid
//	5.1.3     PROBED_SIZE                     ProbeRecord.Size
//	          PROBE_COUNT                     failure.count, for each size
//	5.1.4     phases                          state.go
//	5.2       state machine, one for a path   state.go, the table; standby.go
//	5.3.1     probing for a larger PLPMTU     round.go
//	5.3.2     selection of sizes              fan.go, spread.go, prior.go: commonMTUs
//	5.3.3     inconsistent paths              late acks reopen; evidence doubles after false alarms; trial.go
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
//     sizes do not end a search. If nothing at all is answered, the state is
//     Unreachable, with the probes of ERROR; a caller that knows that the peer is gone
//     calls Stop.
//   - 5.2: a validated PTB below BASE_PLPMTU in BASE does not enter ERROR before
//     probes have agreed, and one of the PLPMTU itself does not end a search.
//   - 4.3: while a black hole is suspected, for about a round trip, the PLPMTU is
//     MIN_PLPMTU. BASE_PLPMTU may not pass either, and a packet that TCP sends
//     again must not be lost again.
//   - 4.6.1, 4.6.2: a PTB that is not validated, or below MIN_PLPMTU, causes at most a rate-limited
//     verification of the PLPMTU; in Sequential nothing.
//
// # Limits
//
// The package neither sends nor receives, starts no goroutine, reads no clock and
// logs nothing. Package tunnel does the I/O, validates PTBs, and converts a
// PLPMTU to an inner MTU with package esp.
package pmtud
