// The log of events, and a choice of kinds to show.

import { choose } from "/viewer/log.js";
import { element, make } from "/viewer/text.js";

const CHOICES = {
  all: () => true,
  scaled: ({ kind }) => kind === "scaled" || kind === "set",
  moved: ({ kind }) => ["started", "moved", "ended"].includes(kind),
  failed: ({ kind }) => ["failed", "recovered", "lost"].includes(kind),
  updated: ({ kind }) => kind === "updated",
};

for (const [name, filter] of Object.entries(CHOICES)) {
  const label = make("label");
  const input = make("input");
  Object.assign(input, { type: "radio", name: "choice", value: name, checked: name === "all" });
  input.addEventListener("change", () => choose(filter));
  label.append(input, make("span", "", name));
  element("choices").append(label);
}
