/* What the page shows: columns of numbers, one entry for each call, callers first (preorder).
 *
 * The parts of the script stand one behind the other in one function; this one comes first. Nothing that comes from the
 * program is ever made into markup: texts go into the page through textContent and into the canvas. */

const NONE = -1;

/** The JSON that the page carries, which is deflated: columns of numbers shrink to a fifth. */
async function readData() {
  const { deflate } = JSON.parse(document.getElementById("data").textContent);
  const bytes = Uint8Array.from(atob(deflate), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(plain).text());
}

/** Numbers from the steps between them. */
function addedUp(steps) {
  let sum = 0;
  return Float64Array.from(steps, (step) => (sum += step));
}

/** Bytes and blocks of each view; the page has those of the first, and of the others what is added to that. */
function makeNumbers(data) {
  const made = [data.numbers[0]];
  for (let at = 1; at < data.numbers.length; at++) {
    const base = at >= data.views.length ? made[at - data.views.length] : made[0];
    made.push(data.numbers[at].map((column, by) => column.map((value, row) => value + base[by][row])));
  }
  return made;
}

/** The calls as arrays by row: who called, what was called first and next, where. */
function makeModel(data) {
  const count = data.up.length;
  const parent = new Int32Array(count);
  const first = new Int32Array(count).fill(NONE);
  const next = new Int32Array(count).fill(NONE);
  for (let row = 0; row < count; row++) parent[row] = row - data.up[row];
  parent[0] = NONE;
  for (let row = count - 1; row > 0; row--) {
    next[row] = first[parent[row]];
    first[parent[row]] = row;
  }
  const end = new Int32Array(count).fill(1); // how many rows; then the row behind all that a call led to
  for (let row = count - 1; row > 0; row--) end[parent[row]] += end[row];
  for (let row = 0; row < count; row++) end[row] += row;
  const merged = new Map();
  data.merged.rows.forEach((row, index) => merged.set(row, data.merged.calls[index]));
  const numbers = makeNumbers(data);
  const [site, line] = [Int32Array.from(addedUp(data.sites)), addedUp(data.line)];
  return { ...data, count, parent, first, next, end, site, line, numbers, merged, measures: new Map() };
}

/** Adds to every call what it led to. */
function withCalled(model, own) {
  const sum = Float64Array.from(own);
  for (let row = model.count - 1; row > 0; row--) sum[model.parent[row]] += sum[row];
  return sum;
}

/** Bytes or blocks ("blocks") of a view, `when`: "now", or in the older snapshot "before". */
function plainMeasure(model, view, by, when) {
  const name = [view, by, when].join();
  if (!model.measures.has(name)) {
    const at = model.views.indexOf(view) + (when === "before" ? model.views.length : 0);
    const own = model.numbers[at][by === "blocks" ? 1 : 0];
    model.measures.set(name, { own, sum: withCalled(model, own) });
  }
  return model.measures.get(name);
}

/** What widths stand for: a view as it is, or how much each call path changed since the older snapshot. */
function measureOf(model, view, by, difference) {
  const now = plainMeasure(model, view, by, "now");
  if (!difference) return now;
  const name = [view, by, "difference"].join();
  if (!model.measures.has(name)) {
    const before = plainMeasure(model, view, by, "before");
    const own = Float64Array.from(now.own, (value, row) => Math.abs(value - before.own[row]));
    model.measures.set(name, { own, sum: withCalled(model, own) });
  }
  return model.measures.get(name);
}

/** How much each call has more than before, or less. */
function changeOf(model, view, by) {
  const [now, before] = ["now", "before"].map((when) => plainMeasure(model, view, by, when));
  const own = Float64Array.from(now.own, (value, row) => value - before.own[row]);
  return { own, sum: withCalled(model, own) };
}

/** Blocks of a view, now or before: what has none of them has no bytes either. */
function blocksOf(model, view) {
  const now = plainMeasure(model, view, "blocks", "now");
  if (!model.compared) return now;
  const before = plainMeasure(model, view, "blocks", "before");
  const both = (name) => now[name].map((value, row) => value + before[name][row]);
  return { own: both("own"), sum: both("sum") };
}

/* --- texts --- */

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

function bytesText(bytes) {
  let value = Math.abs(bytes);
  if (value < 1023.5) return `${Math.round(bytes)} B`;
  let unit = -1;
  do {
    value /= 1024;
    unit++;
  } while (value >= 1023.95 && unit < UNITS.length - 1);
  return `${bytes < 0 ? "-" : ""}${value.toFixed(1)} ${UNITS[unit]}`;
}

const countText = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const amountText = (value, by) => (by === "blocks" ? countText(value, "block") : bytesText(value));
const signed = (value, text) => (value > 0 ? `+${text}` : text);
const shareText = (part, whole) => `${(whole ? (100 * part) / whole : 0).toFixed(1)} %`;

/** Control characters, and those that turn the direction of writing, made visible. */
function visible(text) {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
