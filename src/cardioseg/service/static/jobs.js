// Uploads and their jobs: followed, shown, taken up again and deleted.

import { doneCorrecting, leaveCorrection, showLabels, stopCorrecting } from "./correcting.js";
import { showFindings, showLegend } from "./findings.js";
import { $, inTurn, safely, state, tell } from "./page.js";
import { choosePlane, play } from "./picture.js";
import { labelsPath, showFiles } from "./results.js";
import * as server from "./server.js";
import { word } from "./words.js";

const JOBS = "cardioseg-jobs";

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
    if (!isOld()) throw error;
  }
  if (isOld()) return;
  $("progress").hidden = true;
  tell(word(job.state));
  if (job.state === "failed") throw new server.Problem(422, { code: "failed", message: job.error });
  if (scan > state.scan) {
    // The jobs of another scan.
    state.scan = scan;
    state.jobs = [];
  }
  state.jobs.push(job);
  await show(job);
}

export const segmentAgain = safely(async () => {
  const model = $("model").value;
  const { scan, shown } = state;
  const there = state.jobs.find((job) => job.model === model && !job.corrected);
  await doneCorrecting();
  if (there) await show(await server.job(there.id));
  else if (shown) await follow(scan, await server.again(shown.id, model));
});

/** A job of its own with every file made from the corrected labels. */
export const remake = safely(async () => {
  const { scan, shown } = state;
  await doneCorrecting();
  await follow(scan, await server.corrected(shown.id));
});

const show = inTurn(async (job) => {
  showJobs();
  play(false);
  await leaveCorrection();
  state.shown = job;
  $("view").hidden = false;
  $("again").disabled = false;
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
});

/** Take up the jobs that this tab had before it was loaded again. */
export const resume = safely(async () => {
  const ids = JSON.parse(sessionStorage.getItem(JOBS) ?? "[]");
  const found = await Promise.all(ids.map((id) => server.job(id).catch(() => null)));
  state.jobs = found.filter((job) => job?.state === "done");
  if (state.jobs.length) await show(state.jobs.at(-1));
});

function showJobs() {
  sessionStorage.setItem(JOBS, JSON.stringify(state.jobs.map((job) => job.id)));
  $("jobs").replaceChildren(...state.jobs.map((job) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = job.corrected ? `${job.model} (${word("by_person")})` : job.model;
    button.ariaPressed = String(job.id === state.shown?.id);
    button.onclick = safely(async () => show(await server.job(job.id)));
    return button;
  }));
  $("jobs").className = "buttons";
  $("jobs").hidden = state.jobs.every((job) => job.id === state.shown?.id);
}

export const forget = safely(inTurn(async () => {
  if (!state.shown) return;
  const { id } = state.shown;
  await stopCorrecting(false);
  await server.remove(id);
  state.jobs = state.jobs.filter((job) => job.id !== id);
  sessionStorage.setItem(JOBS, JSON.stringify(state.jobs.map((job) => job.id)));
  state.viewer?.clear();
  delete $("canvas").dataset.shown;
  state.shown = null;
  $("view").hidden = true;
  $("again").disabled = true;
  for (const each of ["table", "all", "quality", "notes", "jobs"]) $(each).replaceChildren();
  tell(word("deleted"));
}));
