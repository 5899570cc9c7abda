// The two graphs, drawn by uPlot, in the colours of the style sheet.

const SECONDS = 180;
const points = [];
const graphs = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function columns(names) {
  return [points.map((point) => point.at), ...names.map((name) => points.map((point) => point[name]))];
}

function make(element, names, range, series) {
  const axis = {
    stroke: colour("--soft"),
    font: "13px system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  const plot = new uPlot(
    {
      width: element.clientWidth,
      height: element.clientHeight,
      padding: [10, 28, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { range: (_, __, last) => [last - SECONDS, last] },
        y: { range },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 70, size: 28, values: (_, splits) => splits.map(clock) },
        { ...axis, size: 46 },
      ],
      series: [{}, ...series],
    },
    columns(names),
    element,
  );
  return { plot, names, element };
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

// Room above the highest line, and never a scale that turns a few samples into a mountain.
const flowRange = (_, __, highest) => [0, Math.max(100, (highest || 0) * 1.1)];

function build() {
  for (const { plot } of graphs.splice(0)) plot.destroy();
  const queue = colour("--queue");
  graphs.push(
    make(document.getElementById("queue-graph"), ["utilisation"], () => [0, 100], [
      { stroke: queue, width: 2.5, fill: `${queue}33`, points: { show: false } },
    ]),
    make(document.getElementById("flow-graph"), ["produced", "stored", "refused"], flowRange, [
      { stroke: colour("--produced"), width: 2.5, points: { show: false } },
      { stroke: colour("--stored"), width: 2.5, points: { show: false } },
      { stroke: colour("--refused"), width: 2.5, dash: [8, 5], points: { show: false } },
    ]),
  );
}

export function replace(history) {
  points.splice(0, points.length, ...history);
  build();
}

export function add(point) {
  if (points.length && point.at <= points.at(-1).at) return;
  points.push(point);
  while (points[0].at < point.at - SECONDS) points.shift();
  for (const { plot, names } of graphs) plot.setData(columns(names));
}

new ResizeObserver(() => {
  for (const { plot, element } of graphs) {
    plot.setSize({ width: element.clientWidth, height: element.clientHeight });
  }
}).observe(document.querySelector(".graphs"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
