// Requested and actual numbers, and the two things that people set: producers and preferred utilisation.

const FEWEST = 1;
const MOST = 4;

const element = (id) => document.getElementById(id);
const slider = element("preference");
let requested; // producers, as Kubernetes was last asked for
let setting = false; // while a hand is on the slider the stream does not move it

function numbers(name, scale) {
  element(name).textContent = scale ? scale.actual : "–";
  element(`${name}-requested`).textContent = scale ? scale.requested : "–";
  element(name).parentElement.classList.toggle("changing", Boolean(scale) && scale.actual !== scale.requested);
}

function showPreference(percent) {
  slider.value = percent;
  element("preferred").textContent = percent;
  slider.setAttribute("aria-valuetext", `${percent} % of the queue`);
}

function refusal(text) {
  element("refusal").hidden = !text;
  element("refusal").textContent = text;
}

export function update(scaling) {
  numbers("processors", scaling.processors);
  numbers("producers", scaling.producers);
  const manual = scaling.rule === "manual";
  const steered = scaling.coordinator ? `scaled by the ${scaling.rule} rule` : "not scaled: no coordinator acts";
  element("rule").textContent = manual ? "scaled by hand" : steered;
  slider.parentElement.hidden = manual;
  requested = scaling.producers?.requested;
  // Said to be disabled, and still in reach of the keyboard: a button that vanishes takes the focus away.
  element("fewer").setAttribute("aria-disabled", !(requested > FEWEST));
  element("more").setAttribute("aria-disabled", !(requested < MOST));
  slider.disabled = false;
  if (!setting) showPreference(scaling.preferred_utilisation);
}

async function change(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    refusal(answer.ok ? "" : `Not changed: ${said.error}.`);
    if (answer.ok) update(said);
  } catch {
    refusal("Not changed: the demonstrator does not answer.");
  }
}

for (const [id, step] of [["fewer", -1], ["more", 1]]) {
  element(id).addEventListener("click", () => {
    const wanted = requested + step;
    if (wanted >= FEWEST && wanted <= MOST) change("/coordinator/systemStats", { producers: wanted });
  });
}

slider.addEventListener("input", () => {
  setting = true;
  showPreference(slider.valueAsNumber);
});
slider.addEventListener("change", async () => {
  setting = true;
  const wanted = slider.valueAsNumber;
  await change("/coordinator/utilisation", { preferred_utilisation: wanted });
  // Moved again meanwhile: that change tells when it is done.
  if (slider.valueAsNumber === wanted) setting = false;
});
