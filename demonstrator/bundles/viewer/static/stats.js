// A graph for each figure of each provider of figures, a section for each kind of component.

import { drawn, follow } from "/viewer/figures.js";
import { Plot, upFrom } from "/viewer/plot.js";
import { element, make, short, whole } from "/viewer/text.js";

const ORDER = ["producer", "queue", "processor", "datastore"];
const SHADES = { producer: "--produced", queue: "--queue" };

const graphs = new Map();
const sections = new Map();

const key = ({ component, pod, name }) => JSON.stringify([component, pod, name]);

// In the order of the samples' way, then by name.
function order(a, b) {
  const [first, second] = [a, b].map(({ component }) => (ORDER.indexOf(component) + ORDER.length + 1) % (ORDER.length + 1));
  return first - second || key(a).localeCompare(key(b));
}

class Graph {
  constructor({ component, pod, name, kind, unit }) {
    this.kind = kind;
    this.component = component;
    this.root = make("figure");
    Object.assign(this.root.dataset, { component, pod, figure: name });
    const caption = make("figcaption");
    const title = make("h3", "", name.replaceAll("_", " "));
    if (kind === "gauge") title.append(make("span", "soft", ` ${unit}`));
    this.value = make("span", "now", "–");
    caption.append(title, this.value, make("span", "whose", pod));
    this.place = make("div", "graph small");
    this.root.append(caption, this.place);
    this.shade = name === "refused" ? "--refused" : (SHADES[component] ?? "--stored");
  }

  draw(at, item) {
    // Made when it has its place on the page, and with it a size.
    this.plot ??= new Plot(this.place, [{ shade: this.shade, fill: true }], upFrom(1));
    const values = drawn(item);
    const [last, rate] = [item.values.at(-1), values.at(-1)];
    this.plot.draw([at, values]);
    if (last === null) this.value.textContent = "no answer";
    else if (this.kind === "counter") this.value.textContent = `${rate === null ? "–" : whole(rate)}/s · ${whole(last)}`;
    else this.value.textContent = short(last);
  }

  remove() {
    this.plot?.remove();
    this.root.remove();
  }
}

function section(component) {
  if (!sections.has(component)) {
    const root = make("section", "card");
    const grid = make("div", "small-graphs");
    root.append(make("h2", "", component), grid);
    sections.set(component, { root, grid });
  }
  return sections.get(component);
}

// Puts every graph in its place; moving one does not draw it again.
function arrange(series) {
  for (const item of series) {
    const { root, grid } = section(item.component);
    if (!graphs.has(key(item))) graphs.set(key(item), new Graph(item));
    element("providers").append(root);
    grid.append(graphs.get(key(item)).root);
  }
  const current = new Set(series.map(key));
  for (const [id, graph] of graphs) {
    if (current.has(id)) continue;
    graph.remove();
    graphs.delete(id);
  }
  for (const [component, { root, grid }] of sections) {
    if (grid.children.length) continue;
    root.remove();
    sections.delete(component);
  }
}

follow((at, series) => {
  if (series.length !== graphs.size || !series.every((item) => graphs.has(key(item)))) arrange([...series].sort(order));
  for (const item of series) graphs.get(key(item)).draw(at, item);
  element("hint").hidden = graphs.size > 0;
});
