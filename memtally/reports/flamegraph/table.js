/* The same numbers as a table, for reading, for screen readers and for print. */

const FIRST_LINES = 100;
const MORE_LINES = 500;

const COLUMNS = [
  { sort: "own", title: "Own", of: (line) => line.own },
  { sort: "sum", title: "With calls", of: (line) => line.sum },
  { sort: "count", title: "Other", of: (line) => line.count },
  { sort: "name", title: "Function", text: true },
  { sort: "place", title: "Place", text: true },
];

class Table {
  constructor(app, element) {
    this.app = app;
    this.element = element;
  }

  /** One line for each function or line of source below the zoomed call; what does not match a search is left out. */
  show(limit = FIRST_LINES) {
    const { app } = this;
    const lines = this.#lines();
    const table = document.createElement("table");
    const by = app.state.by === "blocks" ? "blocks" : "bytes";
    table.createCaption().textContent =
      `${countText(lines.length, app.state.detail)} of ${app.viewText()}, ${by}` +
      `${app.state.difference === "yes" ? ", changes since the older snapshot" : ""}; own: allocated right there; with calls: also in what is called from there`;
    this.#head(table);
    const body = table.createTBody();
    for (const line of lines.slice(0, limit)) this.#row(body, line);
    const parts = [table];
    if (lines.length > limit) parts.push(this.#moreButton(lines.length - limit, limit));
    this.element.replaceChildren(...parts);
  }

  #lines() {
    const { app } = this;
    const { texts, state, tree } = app;
    const measure = state.difference === "yes" ? changeOf(app.model, state.view, state.by) : tree.measure;
    const lines = tree.tabulate(app.zoomed, measure).filter((line) => !app.matches || app.matches(line.key));
    const other = plainMeasure(app.model, state.view, state.by === "blocks" ? "bytes" : "blocks", "now");
    const counts = new Map(tree.tabulate(app.zoomed, other).map((line) => [line.key, line.own]));
    for (const line of lines) {
      line.count = counts.get(line.key) ?? 0;
      line.name = line.key === MERGED ? "(calls that were too small)" : texts.functionOf(line.key);
      line.place = line.key === MERGED ? "" : texts.placeOf(line.key, state.detail);
    }
    const text = state.sort === "name" || state.sort === "place";
    const order = text
      ? (a, b) => (a[state.sort] < b[state.sort] ? -1 : a[state.sort] > b[state.sort] ? 1 : 0)
      : (a, b) => Math.abs(b[state.sort]) - Math.abs(a[state.sort]);
    return lines.sort((a, b) => order(a, b) || Math.abs(b.own) - Math.abs(a.own) || a.key - b.key);
  }

  #head(table) {
    const { app } = this;
    const row = table.createTHead().insertRow();
    for (const column of COLUMNS) {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (column.text) cell.className = column.sort === "place" ? "text wide" : "text";
      if (column.sort === "count") cell.className = "wide";
      if (app.state.sort === column.sort) cell.setAttribute("aria-sort", column.text ? "ascending" : "descending");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = this.#title(column);
      button.addEventListener("click", () => app.go({ sort: column.sort }));
      cell.append(button);
      row.append(cell);
      if (column.sort === "own" || column.sort === "sum") row.append(this.#share(column));
    }
  }

  #share(column) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.className = "wide";
    cell.textContent = column.sort === "own" ? "Share" : "Share with calls";
    return cell;
  }

  #title(column) {
    const blocks = this.app.state.by === "blocks";
    if (column.sort === "own") return blocks ? "Own blocks" : "Own bytes";
    if (column.sort === "count") return blocks ? "Bytes" : "Blocks";
    return column.title;
  }

  #row(body, line) {
    const { app } = this;
    const by = app.state.by;
    const row = body.insertRow();
    const cell = (text, className) => {
      const made = row.insertCell();
      made.className = className;
      made.textContent = text;
      return made;
    };
    const sign = app.state.difference === "yes" ? signed : (_, text) => text;
    cell(sign(line.own, amountOf(line.own, by)), "number");
    cell(shareText(Math.abs(line.own), app.whole()), "number wide");
    cell(sign(line.sum, amountOf(line.sum, by)), "number");
    cell(shareText(Math.abs(line.sum), app.whole()), "number wide");
    cell(amountOf(line.count, by === "blocks" ? "bytes" : "blocks"), "number wide");
    const name = cell("", "text");
    if (line.key >= 0) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = line.name || line.place; // the standard module knows no names
      button.title = "Show it in the graph";
      button.addEventListener("click", () => app.go({ search: app.texts.searchFor(line.key), show: "graph" }));
      name.append(button);
    } else {
      name.textContent = line.name;
    }
    if (line.name) name.append(Object.assign(document.createElement("div"), { className: "where narrow", textContent: line.place }));
    const place = cell(line.place, "text wide");
    const source = app.state.detail === "line" ? app.texts.sourceOf(line.key) : "";
    if (source) place.append(Object.assign(document.createElement("div"), { className: "code", textContent: source }));
  }

  #moreButton(left, limit) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "more";
    button.textContent = `Show more (${left.toLocaleString("en")} left)`;
    button.addEventListener("click", () => this.show(limit + MORE_LINES));
    return button;
  }
}

const amountOf = (value, by) => (by === "blocks" ? value.toLocaleString("en") : bytesText(value));
