// The figures of the flow of samples, wherever a page has a place for them.

import { on } from "/viewer/stream.js";
import { element, show, whole } from "/viewer/text.js";

function figure(overview, component, name) {
  const provider = overview.statistics.find((item) => item.component === component);
  return provider?.figures.find((item) => item.name === name)?.value;
}

function numbers(name, scale) {
  show(name, scale ? scale.actual : "–");
  show(`${name}-requested`, scale ? scale.requested : "–");
  element(name).parentElement.classList.toggle("changing", Boolean(scale) && scale.actual !== scale.requested);
}

export function showScaling(scaling) {
  numbers("processors", scaling.processors);
  numbers("producers", scaling.producers);
  const byRule = scaling.coordinator ? `scaled by the ${scaling.rule} rule` : "not scaled: no coordinator acts";
  show("rule", scaling.rule === "manual" ? "scaled by hand" : byRule);
  show("coordinator", scaling.coordinator || "none acts");
}

function showSamples(overview) {
  const { now, accounting } = overview;
  const held = figure(overview, "datastore", "held");
  const latency = figure(overview, "datastore", "latency");
  show("produced-rate", whole(now.produced));
  show("stored-rate", whole(now.stored));
  show("refused-rate", whole(now.refused));
  show("utilisation", now.utilisation.toFixed(now.utilisation < 10 ? 1 : 0));
  show("stored", held === undefined ? "–" : whole(held));
  show("latency", latency === undefined || !held ? "–" : `${latency.toFixed(latency < 10 ? 2 : 0)} s`);
  show("produced-total", accounting ? whole(accounting.produced) : "–");
  show("held", accounting ? whole(accounting.queued + accounting.in_work) : "–");
  show("capacity", accounting ? whole(accounting.capacity) : "–");
  show("in-work", accounting ? whole(accounting.in_work) : "–");
}

function showTank({ now }) {
  if (!element("tank")) return;
  element("tank").setAttribute("aria-valuenow", now.utilisation.toFixed(0));
  element("fill").style.transform = `scaleX(${now.utilisation / 100})`;
  element("refusing").hidden = now.refused < 0.5;
}

function showHint({ accounting, scaling }) {
  const idle = accounting && scaling.processors?.actual === 0;
  element("hint").hidden = !idle;
  if (!idle) return;
  const condition = scaling.rule === "manual" ? "somebody scales them up" : "the coordinator asks for one";
  element("hint").textContent = scaling.processors.requested
    ? "No processor runs yet: the queue fills until the first one is ready."
    : `No processor runs: the queue fills until ${condition}.`;
}

on("overview", (overview) => {
  showSamples(overview);
  showTank(overview);
  showScaling(overview.scaling);
  showHint(overview);
  show("node-count", overview.nodes.length || "the");
});
