// Every component's figures over the last minutes: the coordinator's history, then what the stream brings.

import { SECONDS } from "/viewer/plot.js";
import { on } from "/viewer/stream.js";

const RATE_OVER = 3; // values; samples come in batches

const followers = [];
let at = [];
let series = new Map();

const key = (component, pod, name) => JSON.stringify([component, pod, name]);

function load(history) {
  at = history.at;
  series = new Map(history.series.map((item) => [key(item.component, item.pod, item.name), item]));
}

function add({ now, statistics }) {
  // The same second again, or a clock that was set back: the newer one counts.
  while (at.length && at.at(-1) >= now.at) {
    at.pop();
    for (const item of series.values()) item.values.pop();
  }
  for (const item of series.values()) item.values.push(null);
  for (const { component, pod, figures } of statistics) {
    for (const { name, kind, unit, value } of figures) {
      const id = key(component, pod, name);
      if (!series.has(id)) {
        series.set(id, { component, pod, name, kind, unit, values: Array(at.length + 1).fill(null) });
      }
      series.get(id).values[at.length] = value;
    }
  }
  at.push(now.at);
  while (at[0] < now.at - SECONDS) {
    at.shift();
    for (const item of series.values()) item.values.shift();
  }
  for (const [id, item] of series) {
    if (item.values.every((value) => value === null)) series.delete(id);
  }
}

// The rate of a counter, a second; a gauge as it is.
export function drawn({ kind, values }) {
  if (kind !== "counter") return values;
  return values.map((value, index) => {
    const since = Math.max(0, index - RATE_OVER);
    const before = values[since];
    if (value === null || before === null || since === index || value < before) return null;
    return (value - before) / (at[index] - at[since]);
  });
}

export function follow(draw) {
  followers.push(draw);
}

function redraw() {
  for (const draw of followers) draw(at, [...series.values()]);
}

on("history", async () => {
  const answer = await fetch("/coordinator/figures").catch(() => undefined);
  if (!answer?.ok) return; // the stream brings the figures from now on
  load(await answer.json());
  redraw();
});

on("overview", (overview) => {
  add(overview);
  redraw();
});
