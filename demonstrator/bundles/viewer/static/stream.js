// The stream that every page lives on, and whether it is live.

import { element, show } from "/viewer/text.js";

const STALE_AFTER = 3500;
const AGAIN_AFTER = 2000;

const handlers = [];
let heard = 0;

function link(state, text) {
  if (document.body.dataset.link === state && element("link-text").textContent === text) return;
  document.body.dataset.link = state;
  show("link-text", text);
}

// `history` and `log` come once after each connection, `overview` every second, `events` as they happen.
export function on(name, handler) {
  handlers.push([name, (event) => handler(JSON.parse(event.data))]);
}

function connect() {
  const stream = new EventSource("/viewer/events");
  for (const [name, handle] of handlers) stream.addEventListener(name, handle);
  stream.addEventListener("overview", () => {
    heard = performance.now();
    link("live", "live");
  });
  // EventSource connects again by itself, but not after an answer that is an error.
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_AFTER);
  });
}

// When the page's own modules have said what they want to hear.
queueMicrotask(connect);

setInterval(() => {
  const silence = performance.now() - heard;
  if (silence < STALE_AFTER) return;
  link("stale", heard ? `no news for ${Math.round(silence / 1000)} s` : "no answer yet");
}, 1000);
