// Uploads and their jobs: followed, shown, taken up again and deleted.

import { doneCorrecting, leaveCorrection, showLabels, stopCorrecting } from "./correcting.js";
import { showFindings, showLegend } from "./findings.js";
import { $, inTurn, isCorrected, safely, state, tell, Told } from "./page.js";
import { choosePlane, play } from "./picture.js";
import { labelsPath, showFiles } from "./results.js";
import * as server from "./server.js";
import { doneJobs, dropJob, keepJob, scanOf, storedJobs } from "./tab.js";
import { word } from "./words.js";

/** Upload what was chosen or dropped. */
export const uploadOne = safely(async (files) => {
  if (files.length > 1) throw new Told(word("one_file"));
  await upload(files[0]);
});

export const upload = safely(async (file, series = "") => {
  if (!file) return;
  const scan = ++state.chosen;
  await doneCorrecting();
  $("series-line").hidden = true;
  showProgress(0, 1);
  try {
    const job = await server.upload(file, $("model").value, series, (share) => {
      if (scan !== state.chosen) return;
      showProgress(share, 1);
      tell(word("uploading", { percent: Math.round(100 * share) }));
    });
    await follow(scan, job);
  } catch (error) {
    $("progress").hidden = true;
    tell("");
    if (error.code === "choose_series") offerSeries(file, error.details.series);
    throw error;
  }
});

function offerSeries(file, series) {
  state.file = file;
  $("series").replaceChildren(...series.map((each) => new Option(`${each.number}: ${each.description} (${each.images} × ${each.size})`, each.choice)));
  $("series-line").hidden = false;
  $("series").focus();
}

function showProgress(done, total) {
  $("progress").hidden = false;
  $("progress").max = total;
  $("progress").value = done;
}

/** Wait for a job of a scan and show it, unless a later scan is shown by then. */
async function follow(scan, first) {
  keepJob(first, scan);
  let job = first;
  const isOld = () => scan < state.scan;
  try {
    await server.follow(first.id, (now) => {
      job = now;
      if (isOld()) return;
      showProgress(now.done, now.total);
      tell(word(now.state, now));
    });
  } catch (error) {
    if (error.status === 404) dropJob(first.id);
    if (!isOld()) throw error;
    return;
  }
  if (job.state === "failed") dropJob(job.id);
  else keepJob(job, scan);
  if (isOld()) return showJobs();
  $("progress").hidden = true;
  tell(word(job.state));
  if (job.state === "failed") throw new server.Problem(422, { code: "failed", message: job.error });
  await offer(job);
}

/** Show a job; one that comes while a person corrects waits as a button. */
const offer = inTurn(async (job) => {
  if (!state.correction) return show(job);
  showJobs();
  tell(word("waits", { scan: scanOf(job), model: job.model }));
});

const underWay = new Set();

/** What a button does, not a second time while it is under way. */
const once = (id, action) => safely(async () => {
  if (underWay.has(id)) return;
  underWay.add(id);
  $(id).disabled = true;
  try { await action(); } finally {
    underWay.delete(id);
    $(id).disabled = state.shown === null;
  }
});

export const segmentAgain = once("again", async () => {
  const model = $("model").value;
  const { shown } = state;
  if (!shown) return;
  const scan = scanOf(shown);
  const there = doneJobs().find((job) => job.model === model && !job.corrected && scanOf(job) === scan);
  await doneCorrecting();
  if (there) await showInTurn(await server.job(there.id));
  else await follow(scan, await server.again(shown.id, model));
});

/** A job of its own with every file made from the corrected labels. */
export const remake = once("remake", async () => {
  const { shown } = state;
  await doneCorrecting();
  await follow(scanOf(shown), await server.corrected(shown.id));
});

async function show(job) {
  play(false);
  await leaveCorrection();
  // No number of one job beside the picture of another.
  state.viewer?.clear();
  delete $("canvas").dataset.shown;
  state.shown = job;
  state.scan = scanOf(job);
  $("view").hidden = false;
  for (const id of ["again", "remake"]) $(id).disabled = underWay.has(id);
  $("model").value = job.model;
  showLegend(job.structures);
  showFindings(job);
  showFiles(job);
  showJobs();
  showLabels(job.structures);
  $("cine").hidden = job.frames < 2;
  $("frame").max = job.frames;
  $("frame").value = 1;
  $("frame-told").textContent = "1";
  $("brush").disabled = true;
  if (!state.viewer) return;
  const [image, labels] = await Promise.all([server.bytes(`jobs/${job.id}/files/image.nii.gz`), server.bytes(labelsPath(job))]);
  await state.viewer.show(image, labels, job.structures, job.native_axis);
  // A model is made for one job, when it is asked for.
  choosePlane(state.viewer.wanted === "model" ? "multi" : state.viewer.wanted);
  $("brush").disabled = false;
  $("canvas").dataset.shown = job.id;
}

const showInTurn = inTurn(show);

/** Take up the jobs that this tab had before it was loaded again, also those that are not done. */
export const resume = safely(async () => {
  const found = await Promise.all(storedJobs().map(async ([id, scan]) => [await jobOrNone(id), scan]));
  for (const [job, scan] of found) {
    if (!job || job.state === "failed") continue;
    keepJob(job, scan);
    state.chosen = Math.max(state.chosen, scan);
  }
  if (doneJobs().length) await showInTurn(doneJobs().at(-1));
  for (const job of state.jobs) if (job.state !== "done") safely(follow)(scanOf(job), job);
});

/** A job, or null where the server has deleted it. */
const jobOrNone = (id) => server.job(id).catch((error) => {
  if (error.status === 404) return null;
  throw error;
});

export function showJobs() {
  const done = doneJobs();
  const isOneScan = new Set(done.map(scanOf)).size < 2;
  $("jobs").replaceChildren(...done.map((job) => {
    const button = document.createElement("button");
    button.type = "button";
    const model = job.corrected ? `${job.model} (${word("by_person")})` : job.model;
    button.textContent = isOneScan ? model : `${word("scan")} ${scanOf(job)}: ${model}`;
    button.ariaPressed = String(job.id === state.shown?.id);
    button.onclick = safely(() => choose(job.id));
    return button;
  }));
  $("jobs").className = "buttons";
  $("jobs").hidden = done.every((job) => job.id === state.shown?.id);
}

async function choose(id) {
  const job = await jobOrNone(id);
  if (job) return showInTurn(job);
  dropJob(id);
  showJobs();
  throw new Told(word("gone"));
}

/** Whether hand work goes with the job that is shown. */
const hasHandWork = () => isCorrected(state.shown) || state.shown.corrected || state.correction?.isUnsaved;

export const forget = safely(inTurn(async () => {
  if (!state.shown || (hasHandWork() && !confirm(word("delete_sure")))) return;
  const { id } = state.shown;
  await stopCorrecting(false);
  await server.remove(id);
  dropJob(id);
  clear();
  tell(word("deleted"));
  const left = doneJobs().at(-1);
  if (left) await show(await server.job(left.id));
}));

function clear() {
  state.viewer?.clear();
  delete $("canvas").dataset.shown;
  state.shown = null;
  $("view").hidden = true;
  $("again").disabled = true;
  for (const each of ["table", "all", "quality", "notes", "jobs"]) $(each).replaceChildren();
}
