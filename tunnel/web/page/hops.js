// The last measurement of the hops.

const hopNumber = (h) => (h.far ? `>${h.hop - 1}` : String(h.hop));
const hopPlace = (w, i) => `hop ${hopNumber(w.hops[i])} (${w.hops[i].address})`;
// tellsOf reports whether a hop tells of a place behind it. Sizes come in steps, so the MTU
// that it tells may be a little larger than what gets past.
const tellsOf = (h, place) => h.tells && (!place.fails || (h.told || 0) < place.fails);

// hopNote is what a hop says about larger packets.
function hopNote(w, i) {
  const h = w.hops[i], place = w.places.find((p) => p.after === i);
  if (place && place.before === null) return 'nothing comes back from behind it';
  if (place && h.told && !tellsOf(h, place)) return `tells ${h.told}, but packets above ${place.passes} vanish`;
  if (place && !h.tells) return `silent above ${place.passes}`;
  return h.told ? `tells ${h.told}` : h.tells ? 'tells that they are too large, but no size' : '';
}

// placeText is a place as a sentence.
function placeText(w, place) {
  if (place.before === null) return `Nothing gets past ${hopPlace(w, place.after)}, or no answer comes back from there.`;
  if (tellsOf(w.hops[place.after], place)) return `${hopPlace(w, place.after)} refuses packets above ${place.passes} bytes, and says so.`.replace(/^h/, 'H');
  const alone = place.before > place.after + 1 ? ', and nothing between them answers' : '';
  return `Packets above ${place.passes} bytes vanish between ${hopPlace(w, place.after)} and ${hopPlace(w, place.before)}${alone}.`;
}

function hopsTable(title, w, now) {
  const row = (cell, kind, values) => element('tr', kind, ...values.map((v) => element(cell, '', v)));
  const table = element('table', '', element('caption', '', `${title}, ${age(now - Date.parse(w.at))} ago`),
    element('thead', '', row('th', '', ['Hop', 'Address', 'Round trip', 'Bytes', '']))), body = element('tbody');
  for (const th of table.querySelectorAll('th')) th.scope = 'col';
  w.hops.forEach((h, i) => body.append(row('td', w.places.some((p) => p.after === i) ? 'fell' : '',
    [hopNumber(h), h.address || '*', h.rtt_ms === undefined ? '' : millis(h.rtt_ms).join(' '), h.size ? String(h.size) : '', hopNote(w, i)])));
  table.append(body);
  const said = w.places.map((place) => element('p', 'fell', placeText(w, place)));
  if (w.places.length === 0) said.push(element('p', '', `Packets of ${w.hops[w.hops.length - 1].size} bytes get through.`));
  if (w.clears_df) said.push(element('p', '', 'Something on the path clears DF: the sizes say nothing.'));
  if (!w.complete) said.push(element('p', '', 'The measurement is not complete: routers limit their answers, or the path is long.'));
  return [table, ...said];
}

let shownHops = ''; // the key of those

function showHops(known, now) {
  const { name, hops } = known.peer, key = JSON.stringify([name, hops, Math.floor(now / 10000)]);
  if (key === shownHops) return;
  shownHops = key;
  const list = [];
  if (!hops) list.push(element('p', 'quiet', 'Nobody has measured yet. This finds the router that swallows packets: ', element('code', '', `fathom probe ${name} --hops`)));
  if (hops && hops.forth) list.push(...hopsTable(`From here to ${name}`, hops.forth, now));
  if (hops && hops.back) list.push(...hopsTable(`From ${name} to here`, hops.back, now));
  if (hops && hops.back_problem) list.push(element('p', 'quiet', `From ${name} to here: not measured: ${hops.back_problem}`));
  byId('hops').replaceChildren(...list);
}
