// What a job has made: findings, files and models, as they are after every change.

import { ofWhat, showFindings } from "./findings.js";
import { $, inTurn, isCorrected, safely, state, tell, Told } from "./page.js";
import { choosePlane } from "./picture.js";
import * as server from "./server.js";
import { clock, word } from "./words.js";

const WARN_BEFORE_MS = 5 * 60_000;
// A timer that waits longer goes off at once.
const LONGEST_WAIT_MS = 2 ** 31 - 1;

export const labelsPath = (job) => (job.edit ? `jobs/${job.id}/edited` : `jobs/${job.id}/files/result.nii.gz`);

/** Take a job's new state after a correction. */
export function update(job) {
  state.jobs = state.jobs.map((each) => (each.id === job.id ? job : each));
  if (state.shown?.id !== job.id) return;
  state.shown = job;
  showFindings(job);
  showFiles(job);
}

export function showFiles(job) {
  const names = { measurements: "measurements_file" };
  const titled = ({ kind }) => (kind === "image" ? word(kind) : ofWhat(job, word(names[kind] ?? kind)));
  const offers = job.files.map((file) => [titled(file), `jobs/${job.id}/files/${file.name}`, file.name]);
  if (isCorrected(job)) offers.push(
    [word("corrected_map"), `jobs/${job.id}/edited`, "edited.nii.gz"],
    [word("training"), `jobs/${job.id}/training`, "training.zip"],
  );
  const more = job.extras.filter((extra) => extra.state !== "made");
  $("files").replaceChildren(
    ...offers.map(([title, path, name]) => fileItem(`${title}: ${name}`, { file: name }, () => server.download(path, name))),
    ...more.map(({ name, state: end }) => fileItem(ofWhat(job, word(`make.${name}`)), { extra: name }, () => make(name), end === "waiting")),
  );
  $("remake").hidden = !isCorrected(job);
  showEnd(job);
  $("saved").textContent = job.edit ? savedWords(job.edit) : "";
}

let warning = null;

/** When the server deletes the job, and a word some minutes before where hand work goes with it. */
function showEnd(job) {
  job.until ??= Date.now() + 1000 * job.seconds_left;
  const time = clock(job.until);
  $("kept").textContent = word("kept", { time });
  clearTimeout(warning);
  const wait = job.until - WARN_BEFORE_MS - Date.now();
  if (!isCorrected(job) || wait > LONGEST_WAIT_MS) return;
  warning = setTimeout(() => state.shown === job && tell(word("soon_deleted", { time })), wait);
}

function fileItem(text, data, action, waits = false) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.disabled = waits;
  button.onclick = safely(action);
  Object.assign(button.dataset, data);
  item.append(button);
  return item;
}

const savedWords = (edit) =>
  `${word("saved", { voxels: edit.voxels_changed, seconds: edit.seconds.toFixed(0) })}. ${word("edited", { parent: edit.parent_sha256.slice(0, 12) })}`;

/** Have files made that the server does not make unasked, and wait for them. */
async function make(name) {
  const { id } = state.shown;
  let job = await server.make(id, name);
  $("progress").hidden = false;
  $("progress").removeAttribute("value");
  tell(word("making", { what: word(`make.${name}`) }));
  try {
    await server.follow(id, (now) => { job = now; });
  } finally {
    $("progress").hidden = true;
    tell(word(state.shown?.state ?? "done"));
  }
  update(job);
  const { state: end, error } = job.extras.find((each) => each.name === name);
  if (end === "failed") throw new server.Problem(422, { code: "not_made", message: error });
  return job;
}

/** Show the models at end diastole, or of the one frame, each in its structure's colour. */
export async function showModel() {
  if (!state.shown) return;
  const { id } = state.shown;
  refuseCorrected();
  const surfaces = state.viewer.hasModel ? null : await surfacesOf(await make("mesh"));
  await inTurn(async () => {
    // Another job may be shown by now, or this one corrected.
    if (state.shown?.id !== id || state.correction) return;
    refuseCorrected();
    if (surfaces) await state.viewer.showModel(surfaces);
    choosePlane("model");
  })();
}

/** The models are of the model's labels: beside corrected numbers they would mislead. */
function refuseCorrected() {
  if (isCorrected(state.shown)) throw new Told(word("model_corrected", { remake: word("remake") }));
}

async function surfacesOf(job) {
  const parts = job.structures.map((each) => [`result-${each.name.replace(/[^A-Za-z0-9]+/g, "-")}.stl`, each.color]);
  const there = parts.filter(([name]) => job.files.some((file) => file.name === name));
  return Promise.all(there.map(async ([name, color]) => [await server.bytes(`jobs/${job.id}/files/${name}`), color]));
}
