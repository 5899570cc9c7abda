// The graphs of the queue and of the flow, from the coordinator's points.

import { Plot, SECONDS, upFrom } from "/viewer/plot.js";
import { on } from "/viewer/stream.js";
import { element } from "/viewer/text.js";

const points = [];
const queue = new Plot(element("queue-graph"), [{ shade: "--queue", fill: true }], () => [0, 100]);
const flow = new Plot(
  element("flow-graph"),
  [{ shade: "--produced" }, { shade: "--stored" }, { shade: "--refused", dash: true }],
  upFrom(100),
);

function columns(...names) {
  return [points.map((point) => point.at), ...names.map((name) => points.map((point) => point[name]))];
}

function draw() {
  queue.draw(columns("utilisation"));
  flow.draw(columns("produced", "stored", "refused"));
}

on("history", (history) => {
  points.splice(0, points.length, ...history);
  draw();
});

on("overview", ({ now }) => {
  // The same second again, or a clock that was set back: the newer one counts.
  while (points.length && points.at(-1).at >= now.at) points.pop();
  points.push(now);
  while (points[0].at < now.at - SECONDS) points.shift();
  draw();
});
