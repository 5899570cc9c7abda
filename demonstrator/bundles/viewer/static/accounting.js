// The sum over all samples, checked here too and not only by the coordinator.

import { on } from "/viewer/stream.js";
import { element, show, whole } from "/viewer/text.js";

const PARTS = ["stored", "queued", "in_work", "refused", "lost"];

on("overview", ({ accounting }) => {
  for (const name of ["produced", ...PARTS]) {
    show(`sum-${name.replace("_", "-")}`, accounting ? whole(accounting[name]) : "–");
  }
  element("sum-lost").classList.toggle("off", Boolean(accounting?.lost));
  const balance = element("balance");
  if (!accounting) {
    balance.textContent = "No queue answers.";
    balance.className = "off";
    return;
  }
  const missing = accounting.produced - PARTS.reduce((sum, name) => sum + accounting[name], 0);
  const lost = accounting.lost ? " What a killed queue or data store held in memory is lost." : "";
  balance.textContent = missing ? `${whole(missing)} samples are missing.` : `✓ The sum is exact.${lost}`;
  balance.className = missing ? "off" : "";
});
