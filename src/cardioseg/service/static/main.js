// The page: what its controls do.

import { Correction } from "./brush.js";
import { showFindings, showLegend } from "./findings.js";
import * as server from "./server.js";
import { Viewer } from "./viewer.js";
import { chooseLanguage, problemWords, word } from "./words.js";

const $ = (id) => document.getElementById(id);
const DEFAULT_FRAME_MS = 50;
const JOBS = "cardioseg-jobs";

const state = {
  jobs: [], shown: null, file: null, viewer: null, correction: null, timer: null, models: [],
  // Uploads are numbered: the last one chosen, and the one whose jobs are shown.
  chosen: 0, scan: 0,
  // The last change of frame that was asked for.
  asked: 0,
};

function tell(text) { $("status").textContent = text; }

function refuse(error) {
  if (error instanceof server.Problem && error.status === 401) return askToken();
  $("error").textContent = failureWords(error);
}

function failureWords(error) {
  if (error instanceof server.Problem) return problemWords(error);
  return error instanceof server.Offline ? word("offline") : String(error);
}

/** Run something that may fail; its failure is told on the page. */
const safely = (action) => async (...values) => {
  $("error").textContent = "";
  try { return await action(...values); } catch (error) { return refuse(error); }
};

let turn = Promise.resolve();

/** One at a time, in the order asked for: what changes which job and frame are shown or corrected. */
const inTurn = (action) => (...values) => {
  const mine = turn.then(() => action(...values));
  turn = mine.catch(() => {});
  return mine;
};

function askToken() {
  const box = $("token-box");
  if (box.open) return;
  box.onclose = () => { server.keepToken($("token").value.trim()); start(); };
  box.showModal();
}

// Upload, queue, results.

const upload = safely(async (file, series = "") => {
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

const segmentAgain = safely(async () => {
  const model = $("model").value;
  const { scan, shown } = state;
  const there = state.jobs.find((job) => job.model === model && !job.corrected);
  await doneCorrecting();
  if (there) await show(await server.job(there.id));
  else if (shown) await follow(scan, await server.again(shown.id, model));
});

/** A job of its own with every file made from the corrected labels. */
const remake = safely(async () => {
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

const labelsPath = (job) => (job.edit ? `jobs/${job.id}/edited` : `jobs/${job.id}/files/result.nii.gz`);

/** Take a job's new state after a correction. */
function update(job) {
  state.jobs = state.jobs.map((each) => (each.id === job.id ? job : each));
  if (state.shown?.id !== job.id) return;
  state.shown = job;
  showFindings(job);
  showFiles(job);
}

/** Take up the jobs that this tab had before it was loaded again. */
const resume = safely(async () => {
  const ids = JSON.parse(sessionStorage.getItem(JOBS) ?? "[]");
  const found = await Promise.all(ids.map((id) => server.job(id).catch(() => null)));
  state.jobs = found.filter((job) => job?.state === "done");
  if (state.jobs.length) await show(state.jobs.at(-1));
});

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
async function showModel() {
  const job = await make("mesh");
  if (state.shown?.id !== job.id) return;
  const parts = job.structures.map((each) => [`result-${each.name.replace(/[^A-Za-z0-9]+/g, "-")}.stl`, each.color]);
  const there = parts.filter(([name]) => job.files.some((file) => file.name === name));
  const surfaces = await Promise.all(there.map(async ([name, color]) => [await server.bytes(`jobs/${job.id}/files/${name}`), color]));
  await state.viewer.showModel(surfaces);
}

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

function showFiles(job) {
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

const savedWords = (edit) =>
  `${word("saved", { voxels: edit.voxels_changed, seconds: edit.seconds.toFixed(0) })}. ${word("edited", { parent: edit.parent_sha256.slice(0, 12) })}`;

const forget = safely(inTurn(async () => {
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

// View.

function setFrame(frame) {
  $("frame").value = frame;
  $("frame-told").textContent = frame;
  state.viewer?.setFrame(frame - 1);
}

const changeFrame = safely((frame) => {
  const asked = ++state.asked;
  return inTurn(async () => {
    // A slider asks for many at once: the last one counts.
    if (asked !== state.asked) return;
    const count = state.shown?.frames ?? 1;
    const wanted = ((frame - 1 + count) % count) + 1;
    if (!state.correction) return setFrame(wanted);
    try {
      await stopCorrecting();
    } catch (error) {
      setFrame(state.viewer.frame + 1);
      throw error;
    }
    setFrame(wanted);
    await startCorrecting();
  })();
});

function play(on) {
  clearInterval(state.timer);
  state.timer = null;
  $("play").ariaPressed = String(on);
  $("play").textContent = word(on ? "pause" : "play");
  if (!on) return;
  const times = state.shown.times_ms;
  const step = times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) : DEFAULT_FRAME_MS;
  state.timer = setInterval(() => setFrame((Number($("frame").value) % state.shown.frames) + 1), Math.max(step, 20));
}

const changePlane = safely(async (name) => {
  if (name === "model" && state.viewer) {
    await doneCorrecting();
    if (!state.viewer.hasModel) await showModel();
  }
  choosePlane(name);
});

function choosePlane(name) {
  state.viewer?.plane(name);
  for (const button of $("planes").children) button.ariaPressed = String(button.dataset.plane === name);
}

// Correct.

function showLabels(structures) {
  $("label").replaceChildren(...structures.map((each) => new Option(word(each.name), each.value)), new Option(word("eraser"), 0));
}

function takeBrush() {
  $("size-told").textContent = $("size").value;
  state.viewer?.setBrush(Number($("label").value), Number($("size").value), $("filled").checked);
}

function canUndo(undo, redo) {
  $("undo").disabled = !undo;
  $("redo").disabled = !redo;
}

async function startCorrecting() {
  play(false);
  const { id } = state.shown;
  const frame = Number($("frame").value) - 1;
  const file = await server.bytes(`jobs/${id}/labels/${frame}`);
  // The frame that is edited is the one that is shown, whatever was played or moved meanwhile.
  play(false);
  setFrame(frame + 1);
  state.correction = new Correction(file, (body, seconds) => saveLabels(id, frame, body, seconds), canUndo);
  canUndo(false, false);
  state.viewer.drawn = () => state.correction?.stroke(state.viewer.drawing());
  choosePlane("stack");
  takeBrush();
  state.viewer.beginDrawing(state.correction.labels);
  $("tools").hidden = false;
  $("brush").ariaPressed = "true";
  $("brush").textContent = word("stop");
}

async function saveLabels(id, frame, body, seconds) {
  $("saved").textContent = word("saving");
  try { update(await server.save(id, frame, body, seconds)); } catch (error) {
    $("saved").textContent = word("unsaved") + failureWords(error);
    throw error;
  }
}

/** End the correction; what cannot be saved is dropped only where a person says so. */
async function leaveCorrection(keep = true) {
  const { correction } = state;
  if (!correction) return;
  if (keep) await correction.finish().catch((error) => {
    if (!confirm(word("drop_unsaved", { why: failureWords(error) }))) throw error;
  });
  correction.drop();
  state.correction = null;
  state.viewer.endDrawing();
  $("tools").hidden = true;
  $("brush").ariaPressed = "false";
  $("brush").textContent = word("start");
}

async function stopCorrecting(keep = true) {
  play(false);
  if (!state.correction) return;
  await leaveCorrection(keep);
  if (keep) await state.viewer.showLabels(await server.bytes(labelsPath(state.shown)));
}

const doneCorrecting = inTurn(stopCorrecting);

/** Have the server change the labels of this frame, then go on with them. */
const onServer = (change) => safely(inTurn(async () => {
  if (!state.correction) return;
  await state.correction.finish();
  update(await change(state.shown.id, state.viewer.frame));
  await stopCorrecting();
  await startCorrecting();
}));

function replay(direction) {
  const labels = direction === "undo" ? state.correction?.undo() : state.correction?.redo();
  if (labels) state.viewer.setDrawing(labels);
}

// Keyboard.

function step(input, by) {
  input.value = Number(input.value) + by;
  takeBrush();
}

const KEYS = {
  ArrowLeft: () => state.viewer.move(0, -1, 0), ArrowRight: () => state.viewer.move(0, 1, 0),
  ArrowDown: () => state.viewer.move(0, 0, -1), ArrowUp: () => state.viewer.move(0, 0, 1),
  PageUp: () => state.viewer.move(1, 0, 0), PageDown: () => state.viewer.move(-1, 0, 0),
  ",": () => changeFrame(Number($("frame").value) - 1), ".": () => changeFrame(Number($("frame").value) + 1),
  " ": () => state.correction && state.viewer.dab(),
  "+": () => step($("size"), 2), "-": () => step($("size"), -2),
};

function onKey(event) {
  if (!state.viewer || !state.shown) return;
  const digit = /^\d$/.test(event.key) && state.correction && [...$("label").options].some((each) => each.value === event.key);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (digit) { $("label").value = event.key; takeBrush(); }
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  state.correction?.alive();
  event.preventDefault();
  // NiiVue listens on the canvas too and would move a second time.
  event.stopImmediatePropagation();
}

function onUndoKey(event) {
  if (!state.correction || !(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  if (key === "z") replay(event.shiftKey ? "redo" : "undo");
  else if (key === "y") replay("redo");
  else return;
  event.preventDefault();
}

// Start.

function wire() {
  $("language").onchange = () => { chooseLanguage($("language").value); redraw(); };
  $("file").onchange = () => { upload($("file").files[0]); $("file").value = ""; };
  $("again").onclick = segmentAgain;
  $("use-series").onclick = () => upload(state.file, $("series").value);
  $("opacity").oninput = () => state.viewer?.setOpacity(Number($("opacity").value));
  for (const button of $("planes").children) button.onclick = () => changePlane(button.dataset.plane);
  $("play").onclick = () => play(!state.timer && !state.correction);
  $("frame").oninput = () => changeFrame(Number($("frame").value));
  $("brush").onclick = safely(inTurn(() => (state.correction ? stopCorrecting() : startCorrecting())));
  for (const id of ["label", "size", "filled"]) $(id).oninput = takeBrush;
  $("undo").onclick = () => replay("undo");
  $("redo").onclick = () => replay("redo");
  $("propagate").onclick = onServer((id, frame) => server.propagate(id, frame, Number($("reach").value)));
  $("revert").onclick = onServer((id, frame) => server.revert(id, frame));
  $("remake").onclick = remake;
  $("delete").onclick = forget;
  document.addEventListener("keydown", onUndoKey);
  $("canvas").addEventListener("keydown", onKey, { capture: true });
  for (const name of ["pointermove", "wheel"]) $("canvas").addEventListener(name, () => state.correction?.alive(), { passive: true });
  wireDrop();
  addEventListener("beforeunload", (event) => { if (state.correction?.isUnsaved) event.preventDefault(); });
}

function wireDrop() {
  const stop = (event) => event.preventDefault();
  for (const name of ["dragover", "drop"]) addEventListener(name, stop);
  addEventListener("dragenter", () => $("drop").classList.add("over"));
  addEventListener("dragleave", (event) => event.relatedTarget ?? $("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    $("drop").classList.remove("over");
    upload(event.dataTransfer.files[0]);
  });
}

function redraw() {
  if (!state.shown) return;
  showLegend(state.shown.structures);
  showFindings(state.shown);
  showFiles(state.shown);
  const { value } = $("label");
  showLabels(state.shown.structures);
  $("label").value = value;
  $("brush").textContent = word(state.correction ? "stop" : "start");
  $("play").textContent = word(state.timer ? "pause" : "play");
}

const start = safely(async () => {
  state.models = await server.models();
  $("model").replaceChildren(...state.models.map((each) => new Option(each.name, each.name)));
  await resume();
});

async function begin() {
  $("language").value = chooseLanguage();
  if (Viewer.isHere()) {
    const viewer = new Viewer();
    await safely(async () => { await viewer.attach($("canvas")); state.viewer = viewer; })();
  }
  $("no-viewer").hidden = state.viewer !== null;
  $("stage").hidden = state.viewer === null;
  wire();
  await start();
  document.documentElement.dataset.ready = "true";
}

await begin();
