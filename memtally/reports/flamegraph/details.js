/* Texts about one call: in its box, in the way to it, beside the pointer and below the graph. */

class Texts {
  constructor(model) {
    this.model = model;
    this.lowered = new Map();
  }

  functionOf(key) {
    return visible(this.model.functions[this.model.function[key]]);
  }

  placeOf(key, detail) {
    const file = this.model.files[this.model.file[key]];
    if (file.name === "<unknown>") return "(no Python frame)";
    if (file.name === "<forgotten>") return "(forgotten paths)";
    return visible(detail === "line" ? `${file.place}:${this.model.line[key]}` : file.place);
  }

  /** The short name of a call. */
  name(call, detail) {
    if (call.key === NONE) return "all";
    if (call.small) return `(${countText(call.small, "call")} not drawn)`;
    if (call.key === MERGED) return `(${countText(this.#mergedCalls(call), "smaller call")})`;
    return this.hasName(call.key) ? this.functionOf(call.key) : this.placeOf(call.key, detail);
  }

  /** Whether a key is a place in a program. */
  isKnown(key) {
    return key >= 0 && !/^<(unknown|forgotten)>$/.test(this.model.files[this.model.file[key]].name);
  }

  /** Whether its function is known; in snapshots of the standard module it is not. */
  hasName(key) {
    return this.isKnown(key) && this.model.functions[this.model.function[key]] !== "";
  }

  label(call, detail) {
    const name = this.name(call, detail);
    return this.hasName(call.key) && !call.small ? `${name}  ${this.placeOf(call.key, detail)}` : name;
  }

  #mergedCalls(call) {
    let calls = 0;
    for (const row of call.at ?? call.rows) calls += this.model.merged.get(row) ?? 0;
    return calls;
  }

  /** What a search looks in. */
  searched(key) {
    if (key < 0) return "";
    if (!this.lowered.has(key)) {
      this.lowered.set(key, this.searchFor(key).toLowerCase());
    }
    return this.lowered.get(key);
  }

  /** A search that finds a key. */
  searchFor(key) {
    const { functions, files, file, line } = this.model;
    return `${functions[this.model.function[key]]} ${files[file[key]].name}:${line[key]}`;
  }

  sourceOf(key) {
    return key >= 0 && this.model.source.length > 0 ? visible(this.model.source[key]) : "";
  }
}

function paragraph(className, text) {
  const element = document.createElement("p");
  element.className = className;
  element.textContent = text;
  return element;
}

/** Lines about a call: its name, where it is, the source line, how much. */
function describe(app, call) {
  const { texts, state, tree } = app;
  const lines = [paragraph("name", texts.name(call, state.detail))];
  if (call.small) {
    const what = "too narrow or too deep; zoom into the call above it, or see the table";
    return [...lines, paragraph("where", what), paragraph("amount", amountText(call.value, state.by))];
  }
  if (texts.isKnown(call.key)) {
    const file = visible(app.model.files[app.model.file[call.key]].name);
    lines.push(paragraph("where", state.detail === "line" ? `${file}:${app.model.line[call.key]}` : file));
    const source = state.detail === "line" ? texts.sourceOf(call.key) : "";
    if (source) lines.push(paragraph("code", source));
  }
  const [bytes, blocks] = ["bytes", "blocks"].map((by) => plainMeasure(app.model, state.view, by, "now"));
  const size = tree.tally(call, bytes);
  const all = amountText(size, "bytes");
  const exact = Math.abs(size) >= 1024 ? ` (${countText(size, "byte")})` : "";
  const whole = state.by === "blocks" ? blocks : bytes;
  const share = shareText(tree.tally(call, whole), whole.sum[0]);
  const own = `own: ${bytesText(tree.ownTally(call, bytes))} in ${countText(tree.ownTally(call, blocks), "block")}`;
  const amount = `${all}${exact} in ${countText(tree.tally(call, blocks), "block")} · ${share} of all · ${own}`;
  lines.push(paragraph("amount", amount));
  if (app.model.compared) lines.push(paragraph("amount", changeText(app, call, size, tree.tally(call, blocks))));
  return lines;
}

function changeText(app, call, size, count) {
  const before = ["bytes", "blocks"].map((by) =>
    app.tree.tally(call, plainMeasure(app.model, app.state.view, by, "before")),
  );
  const grown = signed(size - before[0], bytesText(size - before[0]));
  const more = signed(count - before[1], countText(count - before[1], "block"));
  return `since then: ${grown}, ${more} · before: ${bytesText(before[0])} in ${countText(before[1], "block")}`;
}
