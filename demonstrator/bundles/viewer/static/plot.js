// A graph of the last minutes, drawn by uPlot, in the colours of the style sheet.

import { clock, constant } from "/viewer/text.js";

export const SECONDS = constant("historySeconds");

const plots = new Map();
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) plots.get(target)?.fit();
});

// Room above the highest value, and never a scale that turns a little into a mountain.
export const upFrom = (least) => (_, __, highest) => [0, Math.max(least, (highest || 0) * 1.1)];

function axisText(value) {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e4 ? `${value / 1e3}k` : `${value}`;
}

// uPlot asks for one mark more than there is room for.
const minutes = (plot, marks) => marks.map((mark) => (mark <= plot.scales.x.max ? clock(mark).slice(0, 5) : ""));

export class Plot {
  // `lines`: for each its shade, a variable of the style sheet, and whether it is filled or dashed.
  constructor(place, lines, range) {
    Object.assign(this, { place, lines, range, columns: [[], ...lines.map(() => [])] });
    plots.set(place, this);
    resized.observe(place);
    this.build();
  }

  build() {
    this.plot?.destroy();
    const axis = {
      stroke: colour("--soft"),
      font: "13px system-ui, sans-serif",
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    const series = this.lines.map(({ shade, fill, dash }) => ({
      stroke: colour(shade),
      width: 2.5,
      points: { show: false },
      ...(fill ? { fill: `${colour(shade)}33` } : {}),
      ...(dash ? { dash: [8, 5] } : {}),
    }));
    this.plot = new uPlot(
      {
        width: this.place.clientWidth,
        height: this.place.clientHeight,
        padding: [10, 24, 0, 0],
        cursor: { show: false },
        legend: { show: false },
        scales: { x: { range: (_, __, last) => [last - SECONDS, last] }, y: { range: this.range } },
        axes: [
          { ...axis, grid: { show: false }, incrs: [60], space: 0, size: 28, values: minutes },
          { ...axis, size: 52, space: 26, values: (_, splits) => splits.map(axisText) },
        ],
        series: [{}, ...series],
      },
      this.columns,
      this.place,
    );
  }

  draw(columns) {
    this.columns = columns;
    this.plot.setData(columns);
  }

  fit() {
    this.plot.setSize({ width: this.place.clientWidth, height: this.place.clientHeight });
  }

  remove() {
    resized.unobserve(this.place);
    plots.delete(this.place);
    this.plot.destroy();
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const plot of plots.values()) plot.build();
});
