// Measurements, quality and notes as a person reads them.

import { isCorrected } from "./page.js";
import { number, word } from "./words.js";

const MAIN = /^(volume|end-diastolic volume|end-systolic volume|stroke volume|ejection fraction|myocardial mass|cardiac output)$/;

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(measurements) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const key of ["structure", "quantity", "phase", "value", "interval"]) {
    const cell = element("th", word(key), key === "value" ? "number" : "");
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const each of measurements) {
    const row = body.insertRow();
    row.append(element("td", word(each.structure)), element("td", word(each.quantity)), element("td", each.phase));
    if (each.value === null) row.append(element("td", `${word("undefined")}: ${each.note}`, "undefined"), element("td"));
    else {
      const bounds = each.low === null || each.high === null ? "" : `${number(each.low)} – ${number(each.high)}`;
      row.append(element("td", `${number(each.value)} ${each.unit}`, "number"), element("td", bounds));
    }
  }
  return made;
}

function qualityWords(job) {
  const { quality } = job;
  const lines = [element("p", `${ofWhat(job, word("verdict"))}: ${word(quality.verdict)}`, "verdict")];
  const dice = Object.entries(quality.predicted_dice ?? {});
  if (dice.length) lines.push(element("p", `${word("expected")}: ${dice.map(([name, value]) => `${word(name)} ${number(value, 2)}`).join(", ")}`));
  const list = element("ul");
  for (const reason of quality.reasons ?? []) list.append(element("li", `${word(reason.verdict)}: ${document.documentElement.lang === "es" ? reason.spanish : reason.words}`));
  if (list.children.length) lines.push(list);
  return lines;
}

/** A title of what was made from the model's labels, told where they are not those that are shown. */
export const ofWhat = (job, title) => (isCorrected(job) ? `${title} (${word("of_model")})` : title);

/** Show what a job found. */
export function showFindings(job) {
  const known = job.measurements.filter((each) => each.value !== null);
  const main = known.filter((each) => MAIN.test(each.quantity));
  document.getElementById("table").replaceChildren(...(main.length ? [table(main)] : []));
  document.getElementById("all").replaceChildren(table(job.measurements));
  document.getElementById("more").hidden = !job.measurements.length;
  document.getElementById("quality").replaceChildren(...(job.quality ? qualityWords(job) : []));
  document.getElementById("notes").replaceChildren(...job.notes.map((note) => element("p", note)));
}

/** The structures' colours and names. */
export function showLegend(structures) {
  document.getElementById("legend").replaceChildren(...structures.map((structure) => {
    const item = element("li");
    const swatch = element("span", "", "swatch");
    // A style attribute would need a laxer content policy; this is none.
    swatch.style.backgroundColor = structure.color;
    item.append(swatch, element("span", word(structure.name)));
    return item;
  }));
}
