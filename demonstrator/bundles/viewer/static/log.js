// The list of events, newest first.

import { on } from "/viewer/stream.js";
import { clock, constant, element, make } from "/viewer/text.js";

const MAX_EVENTS = constant("maxEvents");

const place = element("log");
const most = Number(place.dataset.most ?? MAX_EVENTS);
const brief = place.classList.contains("brief");
let events = [];
let matches = () => true;

function item({ at, kind, subject, text, by }) {
  const entry = make("li", kind);
  const time = make("time", "", clock(at));
  time.dateTime = new Date(at * 1000).toISOString();
  const words = make("span", "words");
  // The reason of a scaling is shown where there is room for it.
  words.append(make("strong", "", subject), ` ${brief && kind === "scaled" ? text.split(":")[0] : text}`);
  if (by && !brief) words.append(make("span", "by", by === "rule" ? "by the rule" : "by a person"));
  entry.append(time, make("span", "kind", kind), words);
  return entry;
}

function draw() {
  const shown = events.filter(matches).slice(-most).reverse();
  place.replaceChildren(...shown.map(item));
  const hint = brief ? undefined : element("hint");
  if (hint) hint.hidden = shown.length > 0;
  if (brief && !shown.length) place.replaceChildren(make("li", "none", "Nothing yet: it runs as it should."));
}

export function choose(filter) {
  matches = filter;
  draw();
}

on("log", (log) => {
  events = log;
  if (!brief) element("hint").textContent = "Nothing has happened yet.";
  draw();
});

on("events", (newer) => {
  events = [...events, ...newer].slice(-MAX_EVENTS);
  draw();
});
