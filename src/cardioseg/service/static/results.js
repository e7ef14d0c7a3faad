// What a job has made: findings, files and models, as they are after every change.

import { showFindings } from "./findings.js";
import { $, safely, state, tell } from "./page.js";
import * as server from "./server.js";
import { word } from "./words.js";

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
  const offers = job.files.map((file) => [word(names[file.kind] ?? file.kind), `jobs/${job.id}/files/${file.name}`, file.name]);
  const isCorrected = job.edit?.frames.length > 0;
  if (isCorrected) offers.push(
    [word("corrected_map"), `jobs/${job.id}/edited`, "edited.nii.gz"],
    [word("training"), `jobs/${job.id}/training`, "training.zip"],
  );
  const more = job.extras.filter((extra) => extra.state !== "made");
  $("files").replaceChildren(
    ...offers.map(([title, path, name]) => fileItem(`${title}: ${name}`, { file: name }, () => server.download(path, name))),
    ...more.map(({ name, state: end }) => fileItem(word(`make.${name}`), { extra: name }, () => make(name), end === "waiting")),
  );
  $("remake").hidden = !isCorrected;
  $("kept").textContent = word("kept", { minutes: Math.round(job.seconds_left / 60) });
  $("saved").textContent = job.edit ? savedWords(job.edit) : "";
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

/** The models at end diastole, or of the one frame, each in its structure's colour. */
export async function showModel() {
  const job = await make("mesh");
  if (state.shown?.id !== job.id) return;
  const parts = job.structures.map((each) => [`result-${each.name.replace(/[^A-Za-z0-9]+/g, "-")}.stl`, each.color]);
  const there = parts.filter(([name]) => job.files.some((file) => file.name === name));
  const surfaces = await Promise.all(there.map(async ([name, color]) => [await server.bytes(`jobs/${job.id}/files/${name}`), color]));
  await state.viewer.showModel(surfaces);
}
