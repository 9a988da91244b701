// The chosen peer.

// setText changes a text only if it differs, so that screen readers are not disturbed.
function setText(id, text) {
  const e = byId(id);
  if (e.textContent !== text) e.textContent = text;
}

function setPill(id, kind, text) {
  byId(id).className = `pill ${kind}`;
  setText(id, text);
}

// showPairs fills a list of terms in place. Each pair has a class, a term, a value with a
// unit, and maybe more text.
function showPairs(list, pairs) {
  while (list.children.length > pairs.length) list.lastChild.remove();
  pairs.forEach(([kind, term, value, unit, more], i) => {
    const item = list.children[i] || list.appendChild(element('div', '', element('dt'), element('dd'), element('dd', 'more')));
    const [dt, dd, rest] = item.children;
    item.className = kind;
    dt.textContent = term;
    dd.replaceChildren(value, ...(unit ? [' ', element('small', '', unit)] : []));
    rest.textContent = more || '';
    rest.hidden = !more;
  });
}

function showTiles(known) {
  const { peer, samples } = known, last = samples[samples.length - 1], p = peer.pmtud;
  const none = ['–', ''], size = p.plpmtu > 0;
  showPairs(byId('tiles'), [
    ['plpmtu', 'PLPMTU', ...(size ? [String(p.plpmtu), 'bytes'] : none), size ? `packets inside up to ${p.inner_mtu}` : ''],
    ['', 'Round trip', ...(peer.rtt_ms === null ? none : millis(peer.rtt_ms)), `loss ${percent(p.loss_percent)} %`],
    ['sent', 'Sending', ...(last ? rateParts(last.sent) : none), `${bytes(peer.tx_bytes)} in all`],
    ['received', 'Receiving', ...(last ? rateParts(last.received) : none), `${bytes(peer.rx_bytes)} in all`],
  ]);
}

let shownEvents = ''; // the key of those

function showEvents(known, now) {
  const list = happenings(known).slice(0, 40);
  const key = JSON.stringify([known.peer.name, list, Math.floor(now / 60000)]);
  if (key === shownEvents) return;
  shownEvents = key;
  byId('events').replaceChildren(...list.map((e) => {
    const at = element('time', '', when(e.at, now));
    at.dateTime = new Date(e.at).toISOString();
    return element('li', e.kind, at, element('b', '', e.title), element('span', '', e.why));
  }));
  if (list.length === 0) byId('events').append(element('li', '', element('span', '', 'Nothing yet.')));
}

function showFacts(known, now) {
  const { peer } = known, p = peer.pmtud, facts = [];
  const add = (name, value) => { if (value) facts.push([name, value]); };
  const counters = (map) => Object.entries(map).filter(([, n]) => n > 0).map(([name, n]) => `${words(name)} ${count(n)}`).join(', ');
  const off = { configuration: 'off: the configuration fixes the size', egress: 'off' }[p.source];
  add('Discovery', off || (searchStates[p.state] || words(p.state)));
  if (!off) {
    add('Probes', `${count(p.counts.probes)} sent, ${count(p.counts.acked)} acknowledged`);
    add('Signs of a smaller MTU', [plural(p.counts.black_holes, 'black hole'), plural(p.false_alarms, 'false alarm'),
      `${plural(p.counts.ptbs_believed, 'PTB')} believed, ${count(p.counts.ptbs_refused)} refused`].join('; '));
  }
  if (p.clears_df) add('Warning', 'something on the path clears DF: probes arrive in fragments and are not counted');
  if (peer.last_handshake) add('Last handshake', `${age(now - Date.parse(peer.last_handshake))} ago, ${count(peer.handshakes)} so far`);
  add('Cipher', peer.cipher);
  for (const path of peer.paths.length > 1 ? peer.paths : []) {
    add(path.in_use ? 'Path in use' : 'Other path', [path.interface, path.local, path.remote, path.state, path.plpmtu ? `PLPMTU ${path.plpmtu}` : ''].filter(Boolean).join(' · '));
  }
  add('Inside packets', `${count(peer.tx_packets)} sent, ${count(peer.rx_packets)} received`);
  add('Made to fit', counters(peer.surgery));
  add('Dropped', counters(peer.dropped));
  add('Addresses behind it', peer.allowed_ips.join(', '));
  add('Public key', peer.public_key);
  const list = byId('facts'), now_ = JSON.stringify(facts);
  if (list.dataset.key === now_) return;
  list.dataset.key = now_;
  list.replaceChildren(...facts.flatMap(([name, value]) => [element('dt', '', name), element('dd', '', value)]));
}

// showPeer shows all of a peer but its chart.
function showPeer(known, now) {
  const { peer } = known, [kind, state] = stateOf(peer);
  byId('detail').hidden = false;
  setText('name', peer.name);
  setPill('state', kind, state);
  setText('endpoint', peer.endpoint || '');
  const problem = [peer.problem, peer.advice].filter(Boolean).join('. ');
  byId('problem').hidden = !problem;
  setText('problem', problem);
  showTiles(known);
  showEvents(known, now);
  showHops(known, now);
  showFacts(known, now);
}

// showTunnel shows what concerns all peers.
function showTunnel() {
  const t = model.tunnel, peers = [...model.peers.values()].map((k) => k.peer);
  setText('tunnel', t.name);
  document.title = `${t.name} · Fathom`;
  const up = peers.filter((p) => p.state === 'established').length;
  setPill('overall', up === peers.length ? 'up' : up === 0 ? 'down' : 'waiting',
    peers.length === 0 ? 'no peers' : up === peers.length ? (up === 1 ? 'the peer is up' : `all ${up} peers are up`) : `${up} of ${plural(peers.length, 'peer')} up`);
}
