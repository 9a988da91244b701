// The list of peers. Its buttons stay the same elements, so that the focus stays.

const shownPeers = 200; // more are found by their names

const byId = (id) => document.getElementById(id);

function element(name, className, ...children) {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

const buttons = new Map(); // by the name of the peer

function newButton(name, choose) {
  const button = element('button', '', element('span', 'who', element('i'), element('span', '', name)), element('span', 'what'), element('span', 'what'));
  button.type = 'button';
  button.addEventListener('click', () => choose(name));
  return button;
}

// listPeers updates the list.
function listPeers(chosen, choose) {
  const wanted = byId('filter').value.trim().toLowerCase();
  byId('filter').hidden = model.peers.size < 8;
  const found = [...model.peers.values()].filter((k) => k.peer.name.toLowerCase().includes(wanted));
  const shown = found.slice(0, shownPeers);
  for (const name of buttons.keys()) if (!model.peers.has(name)) buttons.delete(name);
  const items = shown.map((known) => {
    const { peer, samples } = known, last = samples[samples.length - 1], [kind, state] = stateOf(peer);
    if (!buttons.has(peer.name)) buttons.set(peer.name, newButton(peer.name, choose));
    const button = buttons.get(peer.name), [who, size, flow] = button.children;
    who.firstChild.className = kind;
    size.textContent = state + (peer.pmtud.plpmtu > 0 ? ` · PLPMTU ${peer.pmtud.plpmtu}` : '');
    flow.textContent = last ? `↑ ${rate(last.sent)}  ↓ ${rate(last.received)}` : '';
    button.setAttribute('aria-current', String(peer.name === chosen));
    return button;
  });
  const list = byId('peers'), old = [...list.children].map((li) => li.firstChild);
  if (old.length !== items.length || old.some((b, i) => b !== items[i])) list.replaceChildren(...items.map((b) => element('li', '', b)));
  byId('more').hidden = found.length === shown.length;
  byId('more').textContent = `${plural(found.length - shown.length, 'more peer')}: search by name`;
}
