/* What is shown, as the part of the address behind `#`, so that it can be sent to somebody, and so that the browser's
 * back button goes back. What is as it would be anyway is left out. */

function defaults(model) {
  const first = model.views.includes("peak") ? "peak" : model.views[0];
  const compared = model.compared && model.views.includes("live") ? "live" : first;
  return {
    view: model.compared ? compared : first,
    difference: model.compared ? "yes" : "no",
    by: "bytes",
    shape: "icicle",
    inverted: "no",
    detail: "line",
    colour: model.compared ? "growth" : "module",
    imports: "hidden",
    hide: "",
    search: "",
    zoom: "",
    show: "graph",
    sort: "own",
  };
}

const CHOICES = {
  difference: ["yes", "no"],
  by: ["bytes", "blocks"],
  shape: ["icicle", "flame"],
  inverted: ["yes", "no"],
  detail: ["line", "function"],
  colour: ["module", "growth"],
  imports: ["hidden", "shown"],
  show: ["graph", "table"],
  sort: ["own", "sum", "count", "name", "place"],
};

/** The state that an address tells; whatever makes no sense in it is as if it were not there. */
function stateOf(address, model) {
  const state = defaults(model);
  for (const [name, value] of new URLSearchParams(address.replace(/^#/, ""))) {
    if (!Object.hasOwn(state, name)) continue;
    const choices = name === "view" ? model.views : CHOICES[name];
    if (!choices || choices.includes(value)) state[name] = value;
  }
  if (!model.compared) {
    state.difference = "no";
    state.colour = "module";
  }
  return state;
}

function addressOf(state, model) {
  const usual = defaults(model);
  const words = new URLSearchParams();
  for (const name of Object.keys(usual)) if (state[name] !== usual[name]) words.set(name, state[name]);
  return `#${words}`;
}

/** A zoomed call by the keys on the way to it. */
const zoomOf = (tree, call) =>
  tree
    .path(call)
    .slice(1)
    .map((one) => one.key.toString(36))
    .join(".");
const keysOf = (zoom) => (zoom === "" ? [] : zoom.split(".").map((word) => parseInt(word, 36)));
