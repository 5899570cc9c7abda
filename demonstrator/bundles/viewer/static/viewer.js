// Fills the page from the stream of overviews; EventSource connects again by itself.

import * as controls from "/viewer/controls.js";
import * as graphs from "/viewer/graphs.js";

const STALE_AFTER = 3500;

const element = (id) => document.getElementById(id);
const show = (id, text) => { element(id).textContent = text; };
const whole = (number) => Math.round(number).toLocaleString("en");

let heard = 0;

function link(state, text) {
  if (document.body.dataset.link === state && element("link-text").textContent === text) return;
  document.body.dataset.link = state;
  show("link-text", text);
}

function figure(overview, component, name) {
  const provider = overview.statistics.find((item) => item.component === component);
  return provider?.figures.find((item) => item.name === name)?.value;
}

function showFlow(overview) {
  const { now, accounting } = overview;
  show("produced-rate", whole(now.produced));
  show("stored-rate", whole(now.stored));
  show("utilisation", now.utilisation.toFixed(now.utilisation < 10 ? 1 : 0));
  element("tank").setAttribute("aria-valuenow", now.utilisation.toFixed(0));
  element("fill").style.transform = `scaleX(${now.utilisation / 100})`;
  const held = figure(overview, "datastore", "held");
  const latency = figure(overview, "datastore", "latency");
  show("stored", held === undefined ? "–" : whole(held));
  show("latency", latency === undefined || !held ? "–" : `${latency.toFixed(latency < 10 ? 2 : 0)} s`);
  show("produced-total", accounting ? whole(accounting.produced) : "–");
  show("refused-rate", whole(now.refused));
  element("refusing").hidden = now.refused < 0.5;
  show("held", accounting ? whole(accounting.queued + accounting.in_work) : "–");
  show("capacity", accounting ? whole(accounting.capacity) : "–");
  show("in-work", accounting ? whole(accounting.in_work) : "–");
}

function showAccounting(accounting) {
  const names = ["produced", "stored", "queued", "in_work", "refused", "lost"];
  for (const name of names) {
    show(`sum-${name.replace("_", "-")}`, accounting ? whole(accounting[name]) : "–");
  }
  const balance = element("balance");
  if (!accounting) {
    balance.textContent = "No queue answers.";
    balance.className = "off";
    return;
  }
  const { produced, stored, queued, in_work: inWork, refused, lost } = accounting;
  const missing = produced - stored - queued - inWork - refused - lost;
  balance.textContent = missing ? `${whole(missing)} samples are missing.` : "✓ The sum is exact.";
  balance.className = missing ? "off" : "";
}

function showHint({ accounting, scaling }) {
  const idle = accounting && scaling.processors?.actual === 0;
  element("hint").hidden = !idle;
  if (!idle) return;
  element("hint").textContent = scaling.processors.requested
    ? "No processor runs yet: the queue fills until the first one is ready."
    : "No processor runs: the queue fills until a coordinator asks for one.";
}

function showPods(pods) {
  const nodes = new Map();
  for (const pod of pods) nodes.set(pod.node, [...(nodes.get(pod.node) ?? []), pod]);
  element("nodes").replaceChildren(
    ...[...nodes].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })).map(([name, members]) => {
      const node = document.createElement("div");
      node.className = "node";
      const title = document.createElement("h3");
      title.textContent = name || "not placed yet";
      const list = document.createElement("ul");
      list.append(...members.map(podItem));
      node.append(title, list);
      return node;
    }),
  );
}

function podItem(pod) {
  const item = document.createElement("li");
  const text = document.createElement("span");
  text.textContent = pod.name;
  if (!pod.ready || pod.phase !== "Running") {
    item.className = "unready";
    const state = document.createElement("small");
    state.textContent = ` ${pod.phase === "Running" ? "not ready" : pod.phase}`;
    text.append(state);
  }
  item.append(text);
  return item;
}

const stream = new EventSource("/viewer/events");
stream.addEventListener("history", (event) => graphs.replace(JSON.parse(event.data)));
stream.addEventListener("overview", (event) => {
  const overview = JSON.parse(event.data);
  heard = performance.now();
  link("live", "live");
  graphs.add(overview.now);
  showFlow(overview);
  controls.update(overview.scaling);
  showAccounting(overview.accounting);
  showHint(overview);
  showPods(overview.pods);
});

setInterval(() => {
  const silence = performance.now() - heard;
  if (silence < STALE_AFTER) return;
  link("stale", heard ? `no news for ${Math.round(silence / 1000)} s` : "no answer yet");
}, 1000);
