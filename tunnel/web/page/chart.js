// The chart: the PLPMTU as steps, the throughput below it, events across both.

const svgSpace = 'http://www.w3.org/2000/svg';

function shape(parent, name, attributes, text) {
  const e = document.createElementNS(svgSpace, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  parent.append(e);
  return e;
}

// niceStep is the least of 1, 2 and 5 times a power of ten that makes up to n steps of a span.
function niceStep(span, n) {
  const rough = span / n, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough * 0.999) || 10 * power;
}

const timeSteps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600].map((s) => s * 1000);

// frame is the geometry: two panels over one axis of time.
function frame(width, from, to) {
  const narrow = width < 520;
  const left = narrow ? 68 : 74, right = 14, labels = 40, high = narrow ? 110 : 140, gap = 26;
  const top = { y: labels, bottom: labels + high }, low = { y: labels + high + gap, bottom: labels + 2 * high + gap };
  return {
    width, left, right: width - right, from, to, top, low, narrow, height: low.bottom + 26,
    x: (t) => left + (Math.min(Math.max(t, from), to) - from) / (to - from) * (width - right - left),
    y: (panel, v, min, max) => panel.bottom - (v - min) / (max - min) * (panel.bottom - panel.y),
  };
}

// draw puts the chart of a peer into a place, for the time span in milliseconds that ends
// now. cursor is a time to mark, or null. It returns the frame.
function draw(place, known, span, now, cursor) {
  const f = frame(Math.max(place.clientWidth, 260), now - span, now);
  const svg = document.createElementNS(svgSpace, 'svg');
  svg.setAttribute('viewBox', `0 0 ${f.width} ${f.height}`);
  svg.setAttribute('height', f.height);
  svg.setAttribute('aria-hidden', 'true');
  axis(svg, f);
  sizes(svg, f, known);
  rates(svg, f, known);
  marks(svg, f, known);
  if (cursor !== null) shape(svg, 'line', { class: 'cursor', x1: f.x(cursor), x2: f.x(cursor), y1: f.top.y, y2: f.low.bottom });
  place.replaceChildren(svg);
  return f;
}

// axis draws the lines of time.
function axis(svg, f) {
  const room = (f.right - f.left) / (f.narrow ? 62 : 90), span = f.to - f.from;
  const step = timeSteps.find((s) => span / s <= room) || timeSteps[timeSteps.length - 1];
  const offset = new Date(f.to).getTimezoneOffset() * 60000; // steps of hours begin at midnight here
  for (let t = Math.ceil((f.from - offset) / step) * step + offset; t <= f.to; t += step) {
    const x = f.x(t);
    shape(svg, 'line', { class: 'grid', x1: x, x2: x, y1: f.top.y, y2: f.low.bottom });
    if (x > f.left + 18 && x < f.right - 14) shape(svg, 'text', { x, y: f.low.bottom + 18, 'text-anchor': 'middle' }, step < 60000 ? clock(t) : shortClock(t));
  }
}

function level(svg, f, y, label) {
  shape(svg, 'line', { class: 'grid', x1: f.left, x2: f.right, y1: y, y2: y });
  shape(svg, 'text', { x: f.left - 8, y: y + 4, 'text-anchor': 'end' }, label);
}

// outline is the PLPMTU in the frame: points of a time and a size. A search that is too
// short to be seen is one step.
function outline(known, f) {
  const pixel = (f.to - f.from) / (f.right - f.left);
  const points = [];
  let size = sizeAt(known, f.from);
  if (size > 0) points.push([f.from, size]);
  for (const step of steps(known.history, 4 * pixel)) {
    const short = step.until - step.at < 4 * pixel;
    for (const [t, to] of short ? [[step.at, step.to]] : step.parts.map((c) => [Date.parse(c.at), c.to])) {
      if (t <= f.from || t > f.to) continue;
      if (size > 0) points.push([t, size]);
      points.push([t, size = to]);
    }
  }
  if (size > 0) points.push([f.to, size]);
  return points;
}

function sizes(svg, f, known) {
  const points = outline(known, f), egress = known.peer.pmtud.egress_mtu, values = points.map((p) => p[1]);
  if (values.length === 0) {
    shape(svg, 'text', { class: 'nothing', x: (f.left + f.right) / 2, y: (f.top.y + f.top.bottom) / 2, 'text-anchor': 'middle' }, 'no path is known yet');
    return;
  }
  const high = Math.max(egress, ...values), low = Math.min(...values), room = Math.max(high - low, 0.15 * high);
  const max = high + 0.1 * room, min = Math.max(0, low - 0.35 * room), y = (v) => f.y(f.top, v, min, max);
  const step = niceStep(max - min, f.narrow ? 3 : 4);
  for (let v = Math.ceil(min / step) * step; v <= max; v += step) level(svg, f, y(v), String(v));
  if (egress > 0) shape(svg, 'line', { class: 'egress-line', x1: f.left, x2: f.right, y1: y(egress), y2: y(egress) });
  const line = points.map(([t, v]) => `${f.x(t).toFixed(1)} ${y(v).toFixed(1)}`).join('L');
  shape(svg, 'path', { class: 'step-fill', d: `M${line}L${f.x(f.to)} ${f.top.bottom}L${f.x(points[0][0])} ${f.top.bottom}Z` });
  shape(svg, 'path', { class: 'step', d: `M${line}` });
  // The size stands below each level that is wide enough.
  for (let i = 0; i + 1 < points.length; i++) {
    const [from, size] = points[i], [to, same] = points[i + 1];
    if (size !== same || f.x(to) - f.x(from) < 40) continue;
    shape(svg, 'text', { class: 'size halo', x: (f.x(from) + f.x(to)) / 2, y: y(size) + 19, 'text-anchor': 'middle' }, size);
  }
}

function rates(svg, f, known) {
  const shown = allSamples(known).filter((s) => s.to > f.from);
  const most = Math.max(...shown.map((s) => Math.max(s.sent, s.received)), 125); // at least 1 kbit/s
  const step = niceStep(8 * most, 3) / 8, max = Math.ceil(most / step * 1.02) * step, y = (v) => f.y(f.low, v, 0, max);
  for (let v = 0; v <= max * 1.001; v += step) level(svg, f, y(v), v === 0 ? '0' : `${parseFloat(rateParts(v)[0])} ${rateParts(v)[1].replace('bit/s', 'b/s')}`);
  shape(svg, 'text', { class: 'halo', x: f.left, y: f.low.y - 8 }, 'throughput inside the tunnel');
  if (shown.length === 0) return;
  // Where events are missing there is no line.
  const runs = [];
  for (const s of shown) {
    const run = runs[runs.length - 1];
    if (run && s.from - run[run.length - 1].to < 1000) run.push(s);
    else runs.push([s]);
  }
  for (const run of runs) {
    const line = (of) => run.flatMap((s) => [[s.from, s[of]], [s.to, s[of]]]).map(([t, v]) => `${f.x(t).toFixed(1)} ${y(v).toFixed(1)}`).join('L');
    const end = `L${f.x(run[run.length - 1].to)} ${y(0)}L${f.x(run[0].from)} ${y(0)}Z`;
    shape(svg, 'path', { class: 'sent-fill', d: `M${line('sent')}${end}` });
    shape(svg, 'path', { class: 'sent-line', d: `M${line('sent')}` });
    shape(svg, 'path', { class: 'received-line', d: `M${line('received')}` });
  }
}

// marks draws a line for each event, and says what it was where there is room: two rows
// of labels, downward steps first.
function marks(svg, f, known) {
  const shown = known.changes.filter((s) => s.at > f.from && s.at <= f.to && s.cause !== 'start');
  const taken = [[], []];
  for (const step of shown.toSorted((a, b) => (b.to < b.from) - (a.to < a.from) || b.at - a.at)) {
    const x = f.x(step.at), fell = step.to < step.from || step.cause === 'unreachable' ? 'fell' : 'rose';
    const text = step.cause === 'unreachable' ? 'no answer' : `${step.from} → ${step.to}  ${fell === 'fell' ? step.cause : ''}`.trimEnd();
    const wide = text.length * 6.9, start = Math.min(Math.max(x - 4, f.left), f.right - wide);
    const row = taken.findIndex((row) => row.every(([a, b]) => start > b + 8 || start + wide < a - 8));
    shape(svg, 'line', { class: `event-line ${fell}`, x1: x, x2: x, y1: f.top.y - (row === 1 ? 20 : 4), y2: f.low.bottom });
    if (row < 0) continue;
    taken[row].push([start, start + wide]);
    shape(svg, 'text', { class: `cause halo ${fell}`, x: start, y: f.top.y - (row === 1 ? 24 : 8) }, text);
  }
}
