// How numbers, times and causes are written.

function scaled(value, units, base, digits) {
  let i = 0;
  while (value >= base && i < units.length - 1) { value /= base; i++; }
  return [i === 0 ? String(Math.round(value)) : value.toPrecision(Math.max(digits, String(Math.floor(value)).length)), units[i]];
}

const rateParts = (bytesPerSecond) => scaled(8 * bytesPerSecond, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'], 1000, 3);
const rate = (bytesPerSecond) => rateParts(bytesPerSecond).join(' ');
const bytes = (n) => scaled(n, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], 1024, 3).join(' ');
const count = (n) => n.toLocaleString('en');
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;
const percent = (n) => (n === 0 ? '0' : n < 0.1 ? '< 0.1' : n < 10 ? n.toFixed(1) : n.toFixed(0));

function millis(ms) {
  return ms < 1 ? [ms.toFixed(2), 'ms'] : ms < 10 ? [ms.toFixed(1), 'ms'] : ms < 1000 ? [ms.toFixed(0), 'ms'] : [(ms / 1000).toFixed(1), 's'];
}

// age is a time span in its largest unit.
function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return plural(s, 'second');
  if (s < 3600) return plural(Math.floor(s / 60), 'minute');
  if (s < 86400) return plural(Math.floor(s / 3600), 'hour');
  return plural(Math.floor(s / 86400), 'day');
}

const two = (n) => String(n).padStart(2, '0');
const clock = (t) => { const d = new Date(t); return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`; };
const shortClock = (t) => clock(t).slice(0, 5);

// when is a time of day, and the date unless that is today.
function when(t, now) {
  const day = (x) => new Date(x).toDateString();
  return day(t) === day(now) ? clock(t) : `${new Date(t).toLocaleDateString('en', { month: 'short', day: 'numeric' })} ${clock(t)}`;
}

// causes explains what package pmtud gives as the cause of a change.
const causes = {
  'start': 'the first search',
  'probe': 'probes of that size got through',
  'black hole': 'larger packets vanished, and no router said so',
  'PTB': 'a router on the path asked for smaller packets, and probes agreed',
  'base does not pass': 'packets of the base size did not get through',
  'egress MTU': 'the MTU of this host’s own interface or route changed',
  'EMSGSIZE': 'this host’s kernel refused larger packets',
  'loss by size': 'larger packets were lost too often',
  'trial': 'a larger size is being tried again',
  'unreachable': 'nothing was answered',
  'another path': 'another path is in use',
};

const states = {
  established: ['up', 'up'], unresponsive: ['down', 'does not answer'], no_route: ['down', 'no route'],
  connecting: ['waiting', 'connecting'], idle: ['waiting', 'waits for its call'],
};
const stateOf = (peer) => states[peer.state] || ['waiting', peer.state];

const searchStates = {
  disabled: 'off', base: 'at the base size', searching: 'searching', search_complete: 'complete',
  error: 'the base size does not pass', unreachable: 'nothing is answered',
};
const words = (name) => name.replaceAll('_', ' ');
