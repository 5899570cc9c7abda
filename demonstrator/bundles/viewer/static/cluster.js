// The nodes with their pods, and on the dashboard with every container.

import { on } from "/viewer/stream.js";
import { element, make } from "/viewer/text.js";

const place = element("nodes");
const withContainers = "containers" in place.dataset;
let shown = "";

function state(pod) {
  if (pod.phase !== "Running") return pod.phase;
  return pod.ready ? "" : "not ready";
}

function containerText({ name, state: phase, reason, restarts }) {
  const why = reason && (restarts || phase !== "running") ? ` (${reason})` : "";
  const again = restarts ? `, ${restarts} restart${restarts === 1 ? "" : "s"}` : "";
  return `${name}: ${phase || "not started"}${again}${why}`;
}

function podItem(pod) {
  const item = make("li", state(pod) ? "unready" : "");
  const text = make("span", "", pod.name);
  if (state(pod)) text.append(make("small", "", ` ${state(pod)}`));
  item.append(text);
  if (withContainers) {
    const list = make("ul", "containers");
    list.append(...pod.containers.map((container) => make("li", container.state, containerText(container))));
    text.append(list);
  }
  return item;
}

function nodeCard(name, node, pods) {
  const card = make("div", node && !node.ready ? "node down" : "node");
  const title = make("h3", "", name || "not placed yet");
  if (node) title.append(make("span", "state", node.ready ? "Ready" : "NotReady"));
  const list = make("ul");
  list.append(...pods.map(podItem));
  card.append(title, pods.length ? list : make("p", "soft", "no pods"));
  return card;
}

on("overview", ({ nodes, pods }) => {
  const now = JSON.stringify([nodes, pods]);
  if (now === shown) return;
  shown = now;
  const known = new Map(nodes.map((node) => [node.name, node]));
  const placed = new Map(nodes.map((node) => [node.name, []]));
  for (const pod of pods) placed.set(pod.node, [...(placed.get(pod.node) ?? []), pod]);
  const byName = [...placed].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  place.replaceChildren(...byName.map(([name, members]) => nodeCard(name, known.get(name), members)));
});
