/* What the reader does: controls, pointer, keys, printing. */

function listen(app) {
  listenToControls(app);
  listenToPointer(app);
  listenToKeys(app);
  listenToWindow(app);
}

function listenToControls(app) {
  const controls = element("controls");
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("change", (event) => {
    const { id, name, value, checked } = event.target;
    if (["view", "by", "show"].includes(name)) app.go({ [name]: value });
    else if (["shape", "colour"].includes(id)) app.go({ [id]: value });
    else if (id === "detail") app.go({ detail: value, zoom: "" });
    else if (id === "difference") app.go({ difference: checked ? "yes" : "no" });
    else if (id === "inverted") app.go({ inverted: checked ? "yes" : "no", zoom: "" });
    else if (id === "imports") app.go({ imports: checked ? "hidden" : "shown", zoom: "" });
    else if (event.target.closest("#modules")) app.go({ hide: checkedModules(), zoom: "" });
  });
  element("search").addEventListener("input", (event) => app.go({ search: event.target.value }, { keep: false }));
}

const checkedModules = () =>
  [...element("modules").querySelectorAll("input:checked")].map((input) => input.value).join("\n");

function listenToPointer(app) {
  const graph = element("graph");
  graph.addEventListener("click", (event) => {
    const box = app.drawing.at(event.clientX, event.clientY);
    if (!box) return;
    hideTip();
    if (box.data === app.zoomed && app.zoomed.above) app.zoomTo(app.zoomed.above);
    else app.zoomTo(box.data);
  });
  graph.addEventListener("pointermove", (event) => {
    const box = event.pointerType === "mouse" ? app.drawing.at(event.clientX, event.clientY) : undefined;
    if (box) showTip(app, box.data, event);
    else hideTip();
  });
  graph.addEventListener("pointerleave", hideTip);
  graph.addEventListener("scroll", () => {
    hideTip();
    app.drawing.paint();
  });
}

let tipped = null;

function showTip(app, call, event) {
  const tip = element("tip");
  if (call !== tipped) tip.replaceChildren(...describe(app, call));
  tipped = call;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, innerWidth - width - 8);
  const below = event.clientY + 18;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below + height > innerHeight - 8 ? Math.max(8, event.clientY - height - 12) : below}px`;
}

function hideTip() {
  tipped = null;
  element("tip").hidden = true;
}

function listenToKeys(app) {
  element("graph").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = step(app, event.key);
    if (next === undefined) return;
    event.preventDefault();
    if (next === null) return;
    app.select(next);
    app.drawing.reveal(next);
  });
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "radio";
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      element("search").focus();
    } else if (event.key === "Escape" && element("options").open) {
      element("options").open = false;
      element("options").querySelector("summary").focus();
    } else if (event.key === "Escape" && event.target === element("search")) {
      element("search").value = "";
      app.go({ search: "" });
      element("graph").focus();
    }
  });
}

/** The call that a key leads to; null: the key did something else; undefined: it is not ours. */
function step(app, key) {
  const call = app.selected;
  const drawn = app.drawing.boxOf(call);
  const beside = (by) => drawn?.parent?.children[drawn.parent.children.indexOf(drawn) + by]?.data ?? call;
  const inwards = app.state.shape === "flame" ? "ArrowUp" : "ArrowDown";
  const outwards = app.state.shape === "flame" ? "ArrowDown" : "ArrowUp";
  if (key === inwards) return drawn?.children?.[0]?.data ?? call;
  if (key === outwards) return drawn?.parent?.data ?? call;
  if (key === "ArrowLeft") return beside(-1);
  if (key === "ArrowRight") return beside(1);
  if (key === "Enter" || key === " ") app.zoomTo(call);
  else if (key === "Escape" || key === "Backspace") app.zoomTo(app.zoomed.above ?? app.zoomed);
  else if (key === "Home") app.zoomTo(app.tree.root);
  else return undefined;
  return null;
}

function listenToWindow(app) {
  addEventListener("popstate", () => {
    app.state = stateOf(location.hash, app.model);
    app.render();
  });
  addEventListener("resize", () => app.state.show === "graph" && app.draw());
  app.dark.addEventListener("change", () => app.render());
  addEventListener("beforeprint", () => print(app));
  addEventListener("afterprint", () => {
    app.drawing.printing = false;
    app.render();
  });
}

const PRINTED_LINES = 40;
const PRINTED_SCALE = 3; // dots for each pixel of the screen

/** On paper: the graph as high as it is, in light colours, and the first lines of the table. */
function print(app) {
  element("graph").hidden = false;
  app.drawing.printing = true;
  app.drawing.show(app.tree, app.zoomed, app.look(false));
  app.drawing.paint(PRINTED_SCALE);
  app.table.show(PRINTED_LINES);
}

readData().then(
  (data) => new App(makeModel(data)),
  (error) => {
    element("summary").textContent = `The data of this page cannot be read: ${error}`;
  },
);
