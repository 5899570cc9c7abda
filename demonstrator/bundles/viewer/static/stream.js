// The stream that every page lives on, and whether it is live.

import { element, show } from "/viewer/text.js";

// All in ms.
const STALE_AFTER = 3500;
const RECONNECT_AFTER = 6000; // of silence
const RETRY_AFTER = 2000; // an answer that is an error

const handlers = [];
let stream;
let opened = 0;
let received = 0;

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
  stream?.close();
  opened = performance.now();
  stream = new EventSource("/viewer/events");
  for (const [name, handle] of handlers) stream.addEventListener(name, handle);
  stream.addEventListener("overview", () => {
    received = performance.now();
    link("live", "live");
  });
}

// When the page's own modules have registered their handlers.
queueMicrotask(connect);

setInterval(() => {
  const now = performance.now();
  // EventSource connects again by itself when the connection ends, but neither after an error nor when it is silent.
  const limit = stream.readyState === EventSource.CLOSED ? RETRY_AFTER : RECONNECT_AFTER;
  if (now - Math.max(opened, received) >= limit) connect();
  const silence = now - received;
  if (silence < STALE_AFTER) return;
  link("stale", received ? `no news for ${Math.round(silence / 1000)} s` : "no answer yet");
}, 1000);
