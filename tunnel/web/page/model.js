// What is known of each peer, from one event to the next.

const keptSamples = 4000; // of a peer: more than an hour, one a second

// model is everything that the view shows.
const model = { now: 0, received: 0, tunnel: null, peers: new Map(), trouble: '' };

// time is the tunnel's clock now.
const time = () => model.now + (performance.now() - model.received);

// learn takes in an event.
function learn(event) {
  model.now = Date.parse(event.now);
  model.received = performance.now();
  model.trouble = event.trouble || '';
  const status = event.status;
  if (!status) return;
  const former = isAnotherRun(model.tunnel, status) ? new Map() : model.peers;
  model.tunnel = status;
  model.peers = new Map(status.peers.map((p) => [p.name, follow(former.get(p.name), p, model.now)]));
}

// isAnotherRun reports whether the tunnel was started anew. The time of its start moves
// by a second where its clock is kept right by so much.
const isAnotherRun = (before, now) => before !== null && Math.abs(Date.parse(now.started) - Date.parse(before.started)) > 2000;

// follow adds a sample of a peer's throughput, in bytes per second.
function follow(before, peer, now) {
  const samples = before ? before.samples : [];
  if (before && now > before.at) {
    const seconds = (now - before.at) / 1000;
    const per = (of) => Math.max(0, peer[of] - before.peer[of]) / seconds;
    samples.push({ from: before.at, to: now, sent: per('tx_bytes'), received: per('rx_bytes') });
    if (samples.length > keptSamples) samples.shift();
  }
  const past = before ? before.past : nothing, history = [...past.changes, ...firstFound(peer.pmtud.history)];
  return { peer, at: now, samples, past, history, changes: steps(history, joined) };
}

// nothing is the past of a peer before it has been asked for: past.js.
const nothing = { changes: [], samples: [], events: [], asked: 0 };

// firstFound marks the first size that was ever found in this run of the tunnel. It was
// found, and did not change.
function firstFound(history) {
  const [first, ...rest] = history;
  return first && history.length < keptChanges && first.to > first.from ? [{ ...first, from: 0, cause: 'start' }, ...rest] : history;
}

// joined is the time in milliseconds in which changes are one: a search that takes some
// round trips, by way of sizes that nobody wants to know.
const joined = 2000;

// keptChanges is how many changes a status has at most: historyEvents of package pmtud.
const keptChanges = 32;

// reductions are the causes that begin another search, even in the middle of one that has
// got somewhere.
const reductions = ['black hole', 'PTB', 'EMSGSIZE', 'egress MTU', 'loss by size'];

// follows reports whether a change belongs to the search of a step.
function follows(step, change, gap) {
  const last = step.parts[step.parts.length - 1], again = reductions.includes(change.cause) && change.to < change.from && last.to > last.from;
  return !again && Date.parse(change.at) - step.until < gap && ![last.cause, change.cause].includes('unreachable') && change.cause !== 'start';
}

// steps joins changes of the PLPMTU that come within gap of each other. Each step has
// the size before and after, and the cause that sent it there.
function steps(history, gap) {
  const list = [];
  for (const change of history) {
    const at = Date.parse(change.at), last = list[list.length - 1];
    if (last && follows(last, change, gap)) {
      last.until = at;
      last.to = change.to;
      last.parts.push(change);
    } else {
      list.push({ at, until: at, from: change.from, to: change.to, parts: [change], cause: change.cause });
    }
  }
  for (const step of list) step.cause = causeOf(step);
  return list.filter((step) => step.from !== step.to || step.cause === 'unreachable');
}

// causeOf a step downwards is what first sent it down; of one upwards, what reached its size.
function causeOf(step) {
  if (step.parts[0].cause === 'start' || step.parts[0].cause === 'another path') return step.parts[0].cause;
  if (step.to < step.from) return step.parts.find((c) => c.to < c.from).cause;
  return step.parts[step.parts.length - 1].cause;
}

// sizeAt is the PLPMTU at a time, 0 while there was none.
function sizeAt(known, t) {
  const history = known.history;
  for (let i = history.length - 1; i >= 0; i--) if (Date.parse(history[i].at) <= t) return history[i].to;
  return history.length ? history[0].from : known.peer.pmtud.plpmtu;
}

// sampleAt is the sample of a time, if there is one.
const sampleAt = (known, t) => allSamples(known).findLast((s) => s.from <= t && t <= s.to);

// allSamples are those that were remembered, and those that the page has taken since.
function allSamples(known) {
  const first = known.samples.length ? known.samples[0].from : Infinity;
  return [...known.past.samples.filter((s) => s.to <= first), ...known.samples];
}

// happenings are the steps of the PLPMTU and the moves to other paths, the newest first.
function happenings(known) {
  const ends = (p) => (p.interface ? `${p.interface}, ` : '') + p.remote;
  const list = known.changes.map((s) => ({ ...headline(s), at: s.at, why: explain(s) }));
  if (known.past.asked > 0) return [...list, ...known.past.events].sort((a, b) => b.at - a.at);
  for (const move of known.peer.path_history || []) {
    list.push({
      at: Date.parse(move.at), kind: 'moved', why: `cause: ${move.cause}`,
      title: move.from ? `Path changed from ${ends(move.from)} to ${ends(move.to)}` : `Path by ${ends(move.to)}`,
    });
  }
  return list.sort((a, b) => b.at - a.at);
}

function headline(step) {
  if (step.cause === 'unreachable') return { kind: 'fell', title: 'No answer' };
  if (step.cause === 'start') return { kind: 'rose', title: `PLPMTU found: ${step.to}` };
  const fell = step.to < step.from;
  return { kind: fell ? 'fell' : 'rose', title: `PLPMTU ${fell ? 'fell' : 'rose'} from ${step.from} to ${step.to}: ${step.cause}` };
}

function explain(step) {
  const found = step.to < step.from && step.parts.length > 1 && step.until > step.at;
  return (causes[step.cause] || step.cause) + (found ? `; probes found ${step.to} after ${millis(step.until - step.at).join(' ')}` : '');
}
