/* The page at work: what the reader does becomes a state, a state becomes an address, and the address is shown. */

const element = (id) => document.getElementById(id);

class App {
  constructor(model) {
    this.model = model;
    this.texts = new Texts(model);
    this.drawing = new Drawing(element("canvas"), element("sheet"), element("graph"));
    this.table = new Table(this, element("table"));
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.shown = null; // the part of the state that the tree was made for
    fillControls(this);
    this.state = stateOf(location.hash, model);
    listen(this);
    this.render();
  }

  /** Changes what is shown. Steps that a reader may want to take back get an entry in the history. */
  go(change, { keep = true } = {}) {
    const before = addressOf(this.state, this.model);
    Object.assign(this.state, change);
    const address = addressOf(this.state, this.model);
    if (address !== before) history[keep ? "pushState" : "replaceState"](null, "", address);
    this.render();
  }

  zoomTo(call) {
    if (call.small) call = call.above;
    if (call !== this.zoomed) this.go({ zoom: zoomOf(this.tree, call) });
    this.select(call);
  }

  render() {
    this.#makeTree();
    const { state } = this;
    this.zoomed = this.tree.find(keysOf(state.zoom));
    if (!this.selected || !this.tree.path(this.selected).includes(this.zoomed)) this.selected = this.zoomed;
    this.#search();
    showControls(this);
    showTrail(this);
    element("graph").hidden = state.show !== "graph";
    element("table").hidden = state.show !== "table";
    if (state.show === "table") this.table.show();
    else this.draw();
    this.select(this.selected);
    if (!document.body.dataset.ready) performance.mark("drawn"); // for whoever measures
    document.body.dataset.ready = "yes";
  }

  #makeTree() {
    const { view, by, difference, inverted, detail, imports, hide } = this.state;
    const wanted = JSON.stringify([view, by, difference, inverted, detail, imports, hide]);
    if (wanted === this.shown) return;
    this.shown = wanted;
    this.tree = new Tree(this.model, measureOf(this.model, view, by, difference === "yes"), {
      inverted: inverted === "yes",
      detail,
      there: blocksOf(this.model, view),
      hideImports: imports === "hidden",
      hide: hide === "" ? [] : hide.split("\n"),
    });
    this.selected = null;
  }

  #search() {
    const words = this.state.search.trim().toLowerCase();
    this.matches = words === "" ? null : (key) => this.texts.searched(key).includes(words);
    if (!this.matches) {
      element("found").textContent = "";
      return;
    }
    const sum = this.tree.matched(this.zoomed, this.matches);
    const where = this.zoomed === this.tree.root ? "all" : "this";
    const found = `${shareText(sum, this.zoomed.value)} of ${where} matches, ${amountText(sum, this.state.by)}`;
    element("found").textContent = sum === 0 ? "nothing matches" : found;
  }

  draw() {
    this.drawing.show(this.tree, this.zoomed, this.look());
  }

  look(dark = this.dark.matches) {
    const { state, texts, model } = this;
    const growth = state.colour === "growth" ? this.#growthOf() : null;
    const colours = new Map();
    const colourOf = (call) => {
      if (growth) return growthColour(growth(call), dark);
      if (call.key < 0) return moduleColour({ kind: "other" }, dark);
      const file = model.file[call.key];
      if (!colours.has(file)) colours.set(file, moduleColour(model.files[file], dark));
      return colours.get(file);
    };
    const labelOf = (call) => {
      const label = texts.label(call, state.detail);
      const changed = state.difference === "yes" ? " changed" : "";
      return call === this.zoomed ? `${label}  ${amountText(call.value, state.by)}${changed}` : label;
    };
    const ring = dark ? "#ffffff" : "#000000";
    return { flame: state.shape === "flame", colourOf, labelOf, matches: this.matches, selected: this.selected, ring };
  }

  /** -1 all of it went, 0 as before, 1 all of it is new. */
  #growthOf() {
    const { view, by } = this.state;
    const now = plainMeasure(this.model, view, by, "now");
    const before = plainMeasure(this.model, view, by, "before");
    return (call) => {
      if (call.small) return 0;
      const [a, b] = [this.tree.tally(call, now), this.tree.tally(call, before)];
      return (a - b) / Math.max(a, b, 1);
    };
  }

  select(call) {
    this.selected = call;
    element("details").replaceChildren(...describe(this, call));
    if (this.state.show !== "graph") return;
    this.drawing.look.selected = call;
    this.drawing.paint();
  }

  whole() {
    return this.tree.root.value;
  }

  viewText() {
    return { live: "what is live", peak: "the peak", total: "all that was allocated" }[this.state.view];
  }
}

/* --- controls --- */

function fillControls(app) {
  const { model } = app;
  for (const view of model.views) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "view", value: view });
    label.append(input, view[0].toUpperCase() + view.slice(1));
    element("views").append(label);
  }
  element("difference-label").hidden = !model.compared;
  element("colour").disabled = !model.compared;
  for (const [name, value] of model.about) {
    const term = Object.assign(document.createElement("dt"), { textContent: name });
    element("about").append(term, Object.assign(document.createElement("dd"), { textContent: visible(value) }));
  }
  const summary = model.views.map((view) => `${view} ${bytesText(plainMeasure(model, view, "bytes", "now").sum[0])}`);
  element("summary").textContent = summary.join(" · ");
  fillModules(app);
  const calls = [...model.merged.values()].reduce((sum, one) => sum + one, 0);
  element("note").hidden = calls === 0;
  element("note").textContent =
    `Merged with others of the same caller, because too small to be seen: ${countText(calls, "call")}. All sums are whole.`;
}

/** Modules by what they hold themselves in the first view. */
function fillModules(app) {
  const { model } = app;
  const { own } = plainMeasure(model, app.model.views[0], "bytes", "now");
  const sums = new Map();
  for (let row = 1; row < model.count; row++) {
    if (model.merged.has(row)) continue;
    const file = model.files[model.file[model.site[row]]];
    if (file.kind !== "import") sums.set(file.module, (sums.get(file.module) ?? 0) + own[row]);
  }
  for (const [module, bytes] of [...sums].sort((a, b) => b[1] - a[1])) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "checkbox", value: module });
    const name = Object.assign(document.createElement("span"), { textContent: visible(module) });
    label.append(input, name, Object.assign(document.createElement("span"), { textContent: bytesText(bytes) }));
    element("modules").append(label);
  }
}

function showControls(app) {
  const { state } = app;
  for (const name of ["view", "by", "show"])
    for (const input of document.getElementsByName(name)) input.checked = input.value === state[name];
  for (const name of ["shape", "detail", "colour"]) element(name).value = state[name];
  element("difference").checked = state.difference === "yes";
  element("inverted").checked = state.inverted === "yes";
  element("imports").checked = state.imports === "hidden";
  const hidden = new Set(state.hide.split("\n"));
  for (const input of element("modules").querySelectorAll("input")) input.checked = hidden.has(input.value);
  if (document.activeElement !== element("search")) element("search").value = state.search;
  element("what").textContent = whatIsShown(app);
  showLegend(app);
}

/** On paper there are no controls that tell what is chosen. */
function whatIsShown(app) {
  const { state } = app;
  const parts = [`${app.viewText()}, in ${state.by}`];
  if (state.difference === "yes") parts.push("what changed since the older snapshot");
  if (state.inverted === "yes") parts.push("from what allocates to its callers");
  if (state.imports === "hidden") parts.push("without the import system");
  if (state.hide !== "") parts.push(`without ${state.hide.split("\n").map(visible).join(", ")}`);
  if (state.search !== "") parts.push(`search: ${visible(state.search)} (${element("found").textContent})`);
  return `Shown: ${parts.join("; ")}.`;
}

function showLegend(app) {
  const dark = app.dark.matches;
  const kinds = { own: "the program", package: "installed packages", library: "standard library", other: "other" };
  const entries =
    app.state.colour === "growth"
      ? [1, 0.4, 0, -0.4, -1].map((growth, at) => [
          growthColour(growth, dark)[0],
          ["new", "grown", "as before", "shrunk", "gone"][at],
        ])
      : Object.entries(kinds).map(([kind, text]) => [moduleColour({ kind, module: "m" }, dark)[0], text]);
  element("legend").replaceChildren(
    ...entries.map(([colour, text]) => {
      const entry = document.createElement("span");
      const mark = document.createElement("i");
      mark.style.background = colour;
      entry.append(mark, text);
      return entry;
    }),
  );
}

const LONGEST_TRAIL = 14;

function showTrail(app) {
  const path = app.tree.path(app.zoomed);
  const parts = [];
  path.forEach((call, depth) => {
    if (path.length > LONGEST_TRAIL && depth > 3 && depth < path.length - LONGEST_TRAIL + 4) {
      if (depth === 4) parts.push(Object.assign(document.createElement("span"), { textContent: "› …" }));
      return;
    }
    if (depth > 0) parts.push(Object.assign(document.createElement("span"), { textContent: "›" }));
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = app.texts.name(call, app.state.detail);
    if (call === app.zoomed) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => app.zoomTo(call));
    parts.push(button);
  });
  element("trail").replaceChildren(...parts);
}
