// The controls: number and kind of producers, and preferred utilisation.

import { showScaling } from "/viewer/flow.js";
import { on } from "/viewer/stream.js";
import { constant, element } from "/viewer/text.js";

const MIN_PRODUCERS = constant("min", element("producer-controls"));
const MAX_PRODUCERS = constant("max", element("producer-controls"));

const slider = element("preference");
const dialog = element("password-dialog");
let requested; // producers, as Kubernetes was last asked for
let setting = false; // while somebody moves the slider the stream does not
let authorization; // until the page is left, and nowhere else

function showPreference(percent) {
  slider.value = percent;
  element("preferred").textContent = percent;
  slider.setAttribute("aria-valuetext", `${percent} % of the queue`);
}

function refusal(text) {
  element("refusal").hidden = !text;
  element("refusal").textContent = text;
}

function update(scaling) {
  element("steered-queue").hidden = scaling.rule === "manual";
  requested = scaling.producers?.requested;
  // Marked as disabled, and still in reach of the keyboard: a button that vanishes takes the focus away.
  element("fewer").setAttribute("aria-disabled", !(requested > MIN_PRODUCERS));
  element("more").setAttribute("aria-disabled", !(requested < MAX_PRODUCERS));
  element("kind").value = scaling.producer_kind;
  slider.disabled = false;
  if (!setting) showPreference(scaling.preferred_utilisation);
}

// Asks for the password; false when it is not given.
function askPassword() {
  const field = element("password");
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const bytes = new TextEncoder().encode(`:${field.value}`);
        if (dialog.returnValue) authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
        field.value = "";
        resolve(Boolean(dialog.returnValue));
      },
      { once: true },
    );
  });
}

function post(path, body) {
  return fetch(path, {
    method: "POST",
    credentials: "omit", // the browser would ask for a password by itself, in a window of its own
    headers: { "Content-Type": "application/json", ...(authorization ? { Authorization: authorization } : {}) },
    body: JSON.stringify(body),
  });
}

async function change(path, wanted) {
  try {
    let answer = await post(path, wanted);
    if (answer.status === 401 && (await askPassword())) answer = await post(path, wanted);
    if (answer.status === 401) authorization = undefined;
    const body = await answer.json();
    refusal(answer.ok ? "" : `Not changed: ${body.error}.`);
    if (answer.ok) {
      update(body);
      showScaling(body);
    }
  } catch {
    refusal("Not changed: the demonstrator does not answer.");
  }
}

for (const [id, step] of [["fewer", -1], ["more", 1]]) {
  element(id).addEventListener("click", () => {
    const wanted = requested + step;
    if (wanted >= MIN_PRODUCERS && wanted <= MAX_PRODUCERS) change("/coordinator/systemStats", { producers: wanted });
  });
}

element("kind").addEventListener("change", () => change("/coordinator/systemStats", { producer_kind: element("kind").value }));

slider.addEventListener("input", () => {
  setting = true;
  showPreference(slider.valueAsNumber);
});
slider.addEventListener("change", async () => {
  setting = true;
  const wanted = slider.valueAsNumber;
  await change("/coordinator/utilisation", { preferred_utilisation: wanted });
  // Moved again meanwhile: the later change ends the setting.
  if (slider.valueAsNumber === wanted) setting = false;
});

element("password-form").addEventListener("submit", (event) => {
  event.preventDefault();
  dialog.close("given");
});
element("password-cancel").addEventListener("click", () => dialog.close());

on("overview", ({ scaling }) => update(scaling));
