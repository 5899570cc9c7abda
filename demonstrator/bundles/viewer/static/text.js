// How figures and elements are written, on every page.

export const element = (id) => document.getElementById(id);

// A number that the server has put into the page.
export const constant = (name, place = document.body) => Number(place.dataset[name]);

// A page shows of the figures those that it has a place for.
export function show(id, text) {
  const place = element(id);
  if (place) place.textContent = text;
}

export const whole = (number) => Math.round(number).toLocaleString("en");

// Small numbers with decimals, large ones without.
export function short(number) {
  const digits = Number.isInteger(number) || Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return number.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: 0 });
}

export function clock(seconds) {
  const form = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return new Date(seconds * 1000).toLocaleTimeString([], form);
}

export function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
