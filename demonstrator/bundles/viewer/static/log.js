// The list of events, newest first.

import { on } from "/viewer/stream.js";
import { clock, element, make } from "/viewer/text.js";

const KEPT = 500;

const place = element("log");
const most = Number(place.dataset.most ?? KEPT);
const brief = place.classList.contains("brief");
let kept = [];
let wanted = () => true;

function item({ at, kind, subject, text, by }) {
  const entry = make("li", kind);
  const time = make("time", "", clock(at));
  time.dateTime = new Date(at * 1000).toISOString();
  const words = make("span", "words");
  // Why it was scaled is told where there is room for it.
  words.append(make("strong", "", subject), ` ${brief && kind === "scaled" ? text.split(":")[0] : text}`);
  if (by && !brief) words.append(make("span", "by", by === "rule" ? "by the rule" : "by a person"));
  entry.append(time, make("span", "kind", kind), words);
  return entry;
}

function draw() {
  const shown = kept.filter(wanted).slice(-most).reverse();
  place.replaceChildren(...shown.map(item));
  const hint = brief ? undefined : element("hint");
  if (hint) hint.hidden = shown.length > 0;
  if (brief && !shown.length) place.replaceChildren(make("li", "none", "Nothing yet: it runs as it should."));
}

export function choose(holds) {
  wanted = holds;
  draw();
}

on("log", (log) => {
  kept = log;
  draw();
});

on("events", (events) => {
  kept = [...kept, ...events].slice(-KEPT);
  draw();
});
