// Events, the choice of a peer and of a time span, and the keyboard.

const ranges = [['1 min', 60], ['10 min', 600], ['1 hour', 3600], ['24 hours', 86400]];

// chosen is kept in the address, so that a link leads to the same view.
const chosen = { peer: '', range: '1 min', cursor: null };

function readAddress() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  chosen.peer = parameters.get('peer') || chosen.peer;
  if (ranges.some(([name]) => name === parameters.get('range'))) chosen.range = parameters.get('range');
}

function choose(change) {
  Object.assign(chosen, change);
  history.replaceState(null, '', `#${new URLSearchParams({ peer: chosen.peer, range: chosen.range })}`);
  show();
}

const span = () => 1000 * ranges.find(([name]) => name === chosen.range)[1];
const known = () => model.peers.get(chosen.peer);

let drawn = null; // the frame of the chart

function show() {
  if (!model.tunnel) return;
  showTunnel();
  if (!known() && model.peers.size > 0) chosen.peer = model.peers.keys().next().value;
  listPeers(chosen.peer, (peer) => choose({ peer, cursor: null }));
  if (!known()) return;
  remember(known(), 86400, show);
  showPeer(known(), model.now);
  showChart();
}

// showChart draws. A screen reader at the chart is told only of what its user does.
function showChart(asked = false) {
  const k = known();
  if (!k) return;
  const now = time();
  if (chosen.cursor !== null && chosen.cursor < now - span()) chosen.cursor = null;
  drawn = draw(byId('chart'), k, span(), now, chosen.cursor);
  const at = chosen.cursor === null ? now : chosen.cursor, sample = sampleAt(k, at) || (chosen.cursor === null && k.samples[k.samples.length - 1]);
  const text = `${chosen.cursor === null ? 'now' : clock(at)}: PLPMTU ${sizeAt(k, at) || 'unknown'}` + (sample ? `, ${rate(sample.sent)} sent, ${rate(sample.received)} received` : '');
  setText('readout', text);
  const slider = byId('chart');
  slider.setAttribute('aria-valuemin', String(-span() / 1000));
  slider.setAttribute('aria-valuemax', '0');
  slider.setAttribute('aria-valuenow', String(Math.round((at - now) / 1000)));
  if (document.activeElement !== slider || asked) slider.setAttribute('aria-valuetext', text);
}

function moveCursor(to) {
  const now = time();
  chosen.cursor = to === null || to >= now ? null : Math.max(to, now - span() + 1);
  showChart(true);
}

function cursorKeys(e) {
  const from = chosen.cursor === null ? time() : chosen.cursor, step = span() / 60;
  const to = { ArrowLeft: from - step, ArrowDown: from - step, ArrowRight: from + step, ArrowUp: from + step, PageDown: from - 10 * step, PageUp: from + 10 * step, Home: 0, End: null, Escape: null };
  if (!(e.key in to) || e.ctrlKey || e.altKey || e.metaKey) return;
  e.preventDefault();
  moveCursor(to[e.key]);
}

function cursorPointer(e) {
  if (!drawn) return;
  const box = byId('chart').getBoundingClientRect();
  const share = ((e.clientX - box.left) * drawn.width / box.width - drawn.left) / (drawn.right - drawn.left);
  if (share >= 0 && share <= 1) moveCursor(drawn.from + share * (drawn.to - drawn.from));
}

// announce says aloud what has changed since the last event.
function announce(before) {
  const said = [];
  for (const [name, k] of model.peers) {
    const old = before.get(name);
    if (!old) continue;
    if (old.peer.state !== k.peer.state) said.push(`${name}: ${stateOf(k.peer)[1]}`);
    const last = k.changes[k.changes.length - 1], former = old.changes[old.changes.length - 1];
    if (last && (!former || last.at !== former.at || last.to !== former.to)) said.push(`${name}: ${headline(last).title}`);
  }
  if (said.length) setText('announce', said.slice(0, 5).join('. '));
}

let stale = 0; // the timer of an event that does not come

function receive(text) {
  const event = JSON.parse(text), before = model.peers;
  learn(event);
  announce(before);
  trouble(model.trouble);
  setText('link', `live, every ${event.interval_ms / 1000} s`);
  clearTimeout(stale);
  stale = setTimeout(() => trouble('No news from the tunnel. What you see is old.'), 3 * event.interval_ms + 5000);
  show();
}

function trouble(text) {
  byId('trouble').hidden = !text;
  setText('trouble', text);
}

// connect reads events. The browser itself connects again after a lost connection, but
// not after a refusal.
function connect() {
  const source = new EventSource('events');
  source.onmessage = (e) => receive(e.data);
  source.onerror = () => {
    setText('link', 'connecting again');
    trouble(model.tunnel ? 'The connection to the tunnel is lost. What you see is old.' : 'The tunnel does not answer, or too many pages are open.');
    setPill('overall', 'waiting', 'not known');
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
  };
}

function begin() {
  readAddress();
  for (const [name] of ranges) {
    const input = element('input');
    Object.assign(input, { type: 'radio', name: 'range', value: name, checked: name === chosen.range });
    input.addEventListener('change', () => choose({ range: name, cursor: null }));
    byId('ranges').append(element('label', '', input, name));
  }
  byId('filter').addEventListener('input', show);
  byId('chart').addEventListener('keydown', cursorKeys);
  byId('chart').addEventListener('pointermove', cursorPointer);
  byId('chart').addEventListener('pointerdown', cursorPointer);
  byId('chart').addEventListener('pointerleave', () => moveCursor(null));
  new ResizeObserver(() => showChart()).observe(byId('chart'));
  addEventListener('hashchange', () => { readAddress(); show(); });
  connect();
}

begin();
