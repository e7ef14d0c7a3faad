// The page: what its controls do.

import {
  changeFrame, doneCorrecting, propagate, replay, revert, showLabels, startCorrecting, stopCorrecting, takeBrush,
} from "./correcting.js";
import { showFindings, showLegend } from "./findings.js";
import { forget, remake, resume, segmentAgain, showJobs, upload, uploadOne } from "./jobs.js";
import { onKey, onUndoKey } from "./keyboard.js";
import { $, inTurn, safely, state } from "./page.js";
import { choosePlane, play } from "./picture.js";
import { showFiles, showModel } from "./results.js";
import * as server from "./server.js";
import { Viewer } from "./viewer.js";
import { chooseLanguage, word } from "./words.js";

const changePlane = safely(async (name) => {
  if (name !== "model" || !state.viewer) return choosePlane(name);
  await doneCorrecting();
  await showModel();
});

function wire() {
  $("token-box").onclose = () => { server.keepToken($("token").value.trim()); start(); };
  $("language").onchange = () => { chooseLanguage($("language").value); redraw(); };
  $("file").onchange = () => { uploadOne($("file").files); $("file").value = ""; };
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
  $("propagate").onclick = propagate;
  $("revert").onclick = revert;
  $("remake").onclick = remake;
  $("delete").onclick = forget;
  // Before the canvas, which lets no key pass.
  document.addEventListener("keydown", onUndoKey, { capture: true });
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
    uploadOne(event.dataTransfer.files);
  });
}

function redraw() {
  if (!state.shown) return;
  showLegend(state.shown.structures);
  showFindings(state.shown);
  showFiles(state.shown);
  showJobs();
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
