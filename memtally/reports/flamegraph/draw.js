/* The drawing: d3-hierarchy lays the visible calls out, a canvas shows those rows of them that are scrolled into view.
 * A canvas and not an element for each call, because there may be a hundred thousand. */

const ROW = 20; // pixels
const LEAST = 0.5; // pixels: narrower calls are drawn as one
const DEEPEST = 4000; // rows: d3-hierarchy takes time by the square of them
const PRINTED_ROWS = 28; // a page has no more, and a canvas has an end
const PRINTED_WIDTH = 1000;
const FONT = "12px system-ui, sans-serif";

/** The branches of a call that are wide enough, and not too deep; the others as one. */
function drawable(tree, call, least, deepest) {
  if (call.small || call.value < least) return null;
  const kids = tree.children(call);
  if (kids.length === 0) return null;
  const wide = call.depth < deepest ? kids.findIndex((kid) => kid.value < least) : 0;
  if (wide === -1) return kids;
  const rest = new Call(call, MERGED, 0);
  for (const kid of kids.slice(wide)) rest.value += kid.value;
  rest.small = kids.length - wide;
  return rest.value < least ? kids.slice(0, wide) : [...kids.slice(0, wide), rest];
}

/** Boxes of a call and what hangs from it: {data, depth, x0, x1}, x from 0 to 1. */
function layOut(tree, call, width) {
  const least = (call.value * LEAST) / width;
  const top = d3.hierarchy(call, (one) => drawable(tree, one, least, call.depth + DEEPEST));
  top.each((box) => (box.value = box.data.value));
  return d3.partition()(top);
}

/* --- colours --- */

const HUES = { own: [8, 58], package: [262, 335], library: [172, 225], import: [200, 215] };

function hashOf(text) {
  let hash = 7;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return (hash >>> 0) / 2 ** 32;
}

/** [background, text] of a file's module; the reader's own program stands out. */
function moduleColour(file, dark) {
  const range = HUES[file.kind];
  if (!range) return dark ? ["hsl(220 4% 30%)", "#f1f1f1"] : ["hsl(220 6% 84%)", "#1b1b1b"];
  const hue = Math.round(range[0] + hashOf(file.module) * (range[1] - range[0]));
  const saturation = { own: 78, package: 48, library: 38, import: 14 }[file.kind] * (dark ? 0.62 : 1);
  const shade = Math.round(8 * hashOf(`${file.module} shade`)) - 4;
  const light = (dark ? 31 : { own: 69, package: 80, library: 79, import: 86 }[file.kind]) + shade;
  return [`hsl(${hue} ${Math.round(saturation)}% ${light}%)`, dark ? "#f4f4f4" : "#1b1b1b"];
}

/** From blue (all of it went) over grey to orange (all of it is new). However little changed, one sees which way. */
function growthColour(growth, dark) {
  const strength = growth === 0 ? 0 : 0.3 + 0.7 * Math.min(1, Math.abs(growth));
  const hue = growth > 0 ? 22 : 212;
  const light = dark ? 27 + 10 * strength : 88 - 24 * strength;
  return [`hsl(${hue} ${Math.round(6 + 74 * strength)}% ${Math.round(light)}%)`, dark ? "#f4f4f4" : "#1b1b1b"];
}

/* --- the canvas --- */

class Drawing {
  constructor(canvas, sheet, frame) {
    this.canvas = canvas;
    this.sheet = sheet; // as high as everything
    this.frame = frame; // what of it is seen
    this.context = canvas.getContext("2d");
    this.boxes = [];
    this.rows = [];
    this.widths = new Map();
  }

  /** Lays a call out and draws it. `look`: {flame, colourOf, labelOf, matches, selected} */
  show(tree, call, look) {
    this.look = look;
    this.width = this.printing ? PRINTED_WIDTH : Math.max(100, this.frame.clientWidth);
    const top = layOut(tree, call, this.width);
    this.rows = [];
    top.each((box) => (this.rows[box.depth] ??= []).push(box));
    for (const row of this.rows) row.sort((a, b) => a.x0 - b.x0);
    this.sheet.style.height = `${this.rows.length * ROW}px`;
    if (look.flame) this.frame.scrollTop = this.frame.scrollHeight;
    this.paint();
  }

  /** Where the row of a depth begins, in the sheet. */
  top(depth) {
    const height = this.rows.length * ROW;
    return this.look.flame ? Math.max(height, this.visibleHeight()) - (depth + 1) * ROW : depth * ROW;
  }

  visibleHeight() {
    return this.printing ? Math.min(this.rows.length, PRINTED_ROWS) * ROW : this.frame.clientHeight;
  }

  scrolled() {
    if (!this.printing) return this.frame.scrollTop;
    return this.look.flame ? this.rows.length * ROW - this.visibleHeight() : 0;
  }

  paint(scale = window.devicePixelRatio || 1) {
    const { context, canvas } = this;
    const height = Math.max(ROW, this.visibleHeight());
    canvas.width = Math.round(this.width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = FONT;
    context.textBaseline = "middle";
    const scrolled = this.scrolled();
    for (let depth = 0; depth < this.rows.length; depth++) {
      const y = this.top(depth) - scrolled;
      if (y > -ROW && y < height) for (const box of this.rows[depth]) this.#box(box, y);
    }
  }

  #box(box, y) {
    const { context, look } = this;
    const x = box.x0 * this.width;
    const width = (box.x1 - box.x0) * this.width;
    const [background, ink] = look.colourOf(box.data);
    const dimmed = look.matches && !look.matches(box.data.key);
    context.globalAlpha = dimmed ? 0.3 : 1;
    context.fillStyle = look.matches && !dimmed ? "#ffd83d" : background;
    context.fillRect(x, y, width > 2 ? width - 1 : width, ROW - 1);
    if (width > 28) {
      context.fillStyle = look.matches && !dimmed ? "#1b1b1b" : ink;
      const text = this.#fitting(look.labelOf(box.data), width - 9);
      if (text) context.fillText(text, x + 4, y + ROW / 2);
    }
    context.globalAlpha = 1;
    if (box.data === look.selected) {
      context.strokeStyle = look.ring;
      context.lineWidth = 2;
      context.strokeRect(x + 1, y + 1, Math.max(2, width - 3), ROW - 3);
    }
  }

  /** As much of a text as fits. Letters are measured once each; close enough for a label. */
  #fitting(text, room) {
    let used = 0;
    for (let index = 0; index < text.length; index++) {
      const letter = text[index];
      if (!this.widths.has(letter)) this.widths.set(letter, this.context.measureText(letter).width);
      used += this.widths.get(letter);
      if (used > room) return index < 4 ? "" : `${text.slice(0, index - 2)}…`;
    }
    return text;
  }

  /** The box at a point of the window, or undefined. */
  at(clientX, clientY) {
    const place = this.frame.getBoundingClientRect();
    const x = (clientX - place.left) / this.width;
    const y = clientY - place.top + this.frame.scrollTop;
    const depth = this.rows.findIndex((_, one) => y >= this.top(one) && y < this.top(one) + ROW);
    return this.rows[depth]?.find((box) => x >= box.x0 && x < Math.max(box.x1, box.x0 + 1 / this.width));
  }

  boxOf(call) {
    for (const row of this.rows) for (const box of row) if (box.data === call) return box;
    return undefined;
  }

  /** Scrolls a call into view. */
  reveal(call) {
    const box = this.boxOf(call);
    if (!box) return;
    const y = this.top(box.depth);
    if (y < this.frame.scrollTop) this.frame.scrollTop = y;
    else if (y + ROW > this.frame.scrollTop + this.frame.clientHeight)
      this.frame.scrollTop = y + ROW - this.frame.clientHeight;
  }
}
