/* The tree that is drawn: calls grouped by line or by function, from the outermost call inwards or, inverted, from what
 * allocates to its callers, without the modules that are hidden (their memory stays with who called them).
 *
 * Branches are made when somebody looks at them, so a tree costs what is seen of it, whatever there is. */

const HIDDEN = -2;
const MERGED = -3;

/** For each site which key it has: itself, or the first site of its function. */
function keysByDetail(model, detail) {
  if (detail === "line") return Int32Array.from(model.file, (_, site) => site);
  const known = new Map();
  return Int32Array.from(model.file, (file, site) => {
    const name = file * model.functions.length + model.function[site];
    if (!known.has(name)) known.set(name, site);
    return known.get(name);
  });
}

/** A key for each row; HIDDEN where its module is, MERGED where it stands for calls that were too small. */
function keysOfRows(model, options) {
  const hidden = new Set(options.hide);
  const hiddenFile = model.files.map(
    (file) => hidden.has(file.module) || (options.hideImports && file.kind === "import"),
  );
  const keys = keysByDetail(model, options.detail).map((key, site) => (hiddenFile[model.file[site]] ? HIDDEN : key));
  const rows = Int32Array.from(model.site, (site) => keys[site]);
  for (const row of model.merged.keys()) rows[row] = MERGED;
  rows[0] = NONE;
  return rows;
}

class Call {
  constructor(above, key, value) {
    this.above = above; // the call it hangs from; null in the root
    this.depth = above ? above.depth + 1 : 0;
    this.key = key;
    this.value = value;
    this.rows = []; // whose numbers are added up here
    this.at = above && above.at ? [] : null; // inverted: which caller of each row stands here
    this.kids = null; // not made yet
    this.small = 0; // how many branches this one stands for, where they are not drawn
  }
}

class Tree {
  constructor(model, measure, options) {
    this.model = model;
    this.measure = measure;
    this.inverted = options.inverted;
    this.there = options.there; // rows that have none of these blocks are not in the tree
    this.keys = keysOfRows(model, options);
    this.root = new Call(null, NONE, measure.sum[0]);
    if (this.inverted) {
      this.root.at = [];
      for (let row = 0; row < model.count; row++) if (this.there.own[row] !== 0) this.root.rows.push(row);
    } else {
      this.root.rows.push(0);
    }
  }

  /** The branches of a call, the largest first. */
  children(call) {
    if (!call.kids) {
      const groups = new Map();
      if (this.inverted) this.#groupCallers(call, groups);
      else this.#groupCalled(call, groups);
      call.kids = [...groups.values()].sort((a, b) => b.value - a.value || a.key - b.key);
    }
    return call.kids;
  }

  #groupOf(call, key, groups) {
    let group = groups.get(key);
    if (!group) groups.set(key, (group = new Call(call, key, 0)));
    return group;
  }

  #groupCalled(call, groups) {
    const { first, next } = this.model;
    const pending = [...call.rows];
    while (pending.length > 0) {
      for (let row = first[pending.pop()]; row !== NONE; row = next[row]) {
        if (this.there.sum[row] === 0) continue;
        if (this.keys[row] === HIDDEN) {
          pending.push(row);
          continue;
        }
        const group = this.#groupOf(call, this.keys[row], groups);
        group.rows.push(row);
        group.value += this.measure.sum[row];
      }
    }
  }

  #groupCallers(call, groups) {
    for (let index = 0; index < call.rows.length; index++) {
      const row = call.rows[index];
      let caller = call.above ? this.model.parent[call.at[index]] : row;
      while (caller > 0 && this.keys[caller] === HIDDEN) caller = this.model.parent[caller];
      if (caller <= 0) continue;
      const group = this.#groupOf(call, this.keys[caller], groups);
      group.rows.push(row);
      group.at.push(caller);
      group.value += this.measure.own[row];
    }
  }

  /** What a call holds of another measure of the same calls. */
  tally(call, measure) {
    const column = this.inverted ? measure.own : measure.sum;
    let sum = 0;
    for (const row of call.rows) sum += column[row];
    return sum;
  }

  /** The same without what its branches hold. */
  ownTally(call, measure) {
    return this.children(call).reduce((left, kid) => left - this.tally(kid, measure), this.tally(call, measure));
  }

  /** The calls from the root down to this one. */
  path(call) {
    const path = [];
    for (let at = call; at; at = at.above) path.unshift(at);
    return path;
  }

  /** Down along keys, as far as they lead. */
  find(keys) {
    let call = this.root;
    for (const key of keys) {
      const kid = this.children(call).find((one) => one.key === key);
      if (!kid) break;
      call = kid;
    }
    return call;
  }

  /** Which rows lie below a call (not inverted): 1, else 0. */
  #inside(call) {
    const inside = new Uint8Array(this.model.count);
    for (const row of call.rows) inside[row] = 1;
    for (let row = 1; row < this.model.count; row++) inside[row] |= inside[this.model.parent[row]];
    return inside;
  }

  /** How much of a call goes through keys that match. */
  matched(call, matches) {
    const { count, parent } = this.model;
    const hit = new Uint8Array(count);
    const inside = this.inverted ? null : this.#inside(call);
    let sum = 0;
    for (let row = 1; row < count; row++) {
      if (inside && !inside[row]) continue;
      hit[row] = hit[parent[row]] || matches(this.keys[row]) ? 1 : 0;
      if (inside && hit[row]) sum += this.measure.own[row];
    }
    if (inside) return sum;
    call.rows.forEach((row, index) => {
      if (hit[call.above ? call.at[index] : row]) sum += this.measure.own[row];
    });
    return sum;
  }

  /** For each key in a call what was allocated right there, and with all that it called; recursion counts once. */
  tabulate(call, measure) {
    const { count, parent } = this.model;
    const own = new Float64Array(count);
    if (this.inverted) for (const row of call.rows) own[row] = measure.own[row];
    else this.#inside(call).forEach((inside, row) => (own[row] = inside ? measure.own[row] : 0));
    const sum = withCalled(this.model, own);
    const table = new Map();
    const seen = this.inverted ? null : this.#inside(call);
    const open = new Set(); // keys of calls that the present one is in
    const stack = []; // the outermost calls of those, as [row, key]
    const line = Int32Array.from(this.keys); // of each row, or where it is hidden, of who called it
    for (let row = 1; row < count; row++) {
      const key = (line[row] = line[row] === HIDDEN ? line[parent[row]] : line[row]);
      while (stack.length > 0 && this.model.end[stack.at(-1)[0]] <= row) open.delete(stack.pop()[1]);
      if (this.there.sum[row] === 0 || key === NONE || (seen && !seen[row])) continue;
      const entry = table.get(key) ?? { key, own: 0, sum: 0 };
      table.set(key, entry);
      entry.own += own[row];
      if (open.has(key)) continue;
      entry.sum += sum[row];
      open.add(key);
      stack.push([row, key]);
    }
    return [...table.values()].filter((entry) => entry.sum !== 0 || entry.own !== 0);
  }
}
