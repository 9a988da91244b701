// What the tunnel remembers, from before the page was opened: the document of `fathom
// history --json`.

const asksEvery = 30000; // milliseconds

// remember asks for the past of a peer, if that is due, and shows it.
async function remember(known, seconds, then) {
  const name = known.peer.name, due = !(known.past.asked > performance.now() - asksEvery) || known.past.seconds < seconds || known.past.state !== known.peer.state;
  if (!due || remember.busy) return;
  remember.busy = true;
  try {
    const answer = await fetch(`history?${new URLSearchParams({ peer: name, seconds })}`);
    const past = answer.ok ? pastOf((await answer.json()).records, known.peer) : { ...nothing };
    const now = model.peers.get(name);
    if (now) now.past = { ...past, asked: answer.ok ? performance.now() : 0, seconds, state: known.peer.state };
    then();
  } catch {
    // The tunnel has ended, of which the events tell.
  } finally {
    remember.busy = false;
  }
}

// pastOf sorts records into changes of the PLPMTU, samples of throughput, and events.
function pastOf(records, peer) {
  const past = { changes: [], samples: [], events: [] };
  const told = peer.pmtud.history.length ? Date.parse(peer.pmtud.history[0].at) - joined : Infinity; // by the status itself
  for (const r of records) {
    const at = Date.parse(r.at), seconds = r.seconds || 0;
    if (r.kind === 'traffic' && seconds > 0) {
      past.samples.push({ from: at, to: at + 1000 * seconds, sent: r.traffic.tx_bytes / seconds, received: r.traffic.rx_bytes / seconds });
    } else if (r.kind === 'plpmtu') {
      if (at < told) past.changes.push({ at: r.at, from: r.from || 0, to: r.to || 0, cause: r.from ? r.cause : 'start' });
    } else if (recorded[r.kind]) {
      const [kind, title, why] = recorded[r.kind](r);
      past.events.push({ at, kind, title, why });
    }
  }
  return past;
}

// recorded says what each kind of event was.
const recorded = {
  started: (r) => ['rose', 'The tunnel started', r.version || ''],
  stopped: () => ['fell', 'The tunnel ended', 'it was told to'],
  slept: (r) => ['moved', 'The host slept', `for ${age(1000 * r.seconds)}`],
  clock_set: (r) => ['moved', 'The clock was set', `${r.seconds < 0 ? 'back' : 'forward'} by ${age(1000 * Math.abs(r.seconds))}`],
  established: (r) => ['rose', 'Connected', r.endpoint + (r.seconds ? `, after ${age(1000 * r.seconds)}` : '')],
  lost: (r) => ['fell', 'Connection lost', r.cause || ''],
  silent: () => ['fell', 'No answer', 'the peer does not answer any more'],
  answers: (r) => ['rose', 'It answers again', `after ${age(1000 * (r.seconds || 0))}`],
  moved: (r) => ['moved', `Path by ${[r.interface, r.endpoint].filter(Boolean).join(', ')}`, r.cause ? `cause: ${r.cause}` : ''],
};
