// Correct the labels of one frame: start, stop, change of frame, and what the server changes.

import { Correction } from "./brush.js";
import { $, failureWords, inTurn, safely, state } from "./page.js";
import { choosePlane, play, setFrame } from "./picture.js";
import { labelsPath, update } from "./results.js";
import * as server from "./server.js";
import { word } from "./words.js";

export function showLabels(structures) {
  $("label").replaceChildren(...structures.map((each) => new Option(word(each.name), each.value)), new Option(word("eraser"), 0));
}

export function takeBrush() {
  $("size-told").textContent = $("size").value;
  state.viewer?.setBrush(Number($("label").value), Number($("size").value), $("filled").checked);
}

function canUndo(undo, redo) {
  $("undo").disabled = !undo;
  $("redo").disabled = !redo;
}

export async function startCorrecting() {
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
export async function leaveCorrection(keep = true) {
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

export async function stopCorrecting(keep = true) {
  play(false);
  if (!state.correction) return;
  await leaveCorrection(keep);
  if (keep) await state.viewer.showLabels(await server.bytes(labelsPath(state.shown)));
}

export const doneCorrecting = inTurn(stopCorrecting);

export const changeFrame = safely((frame) => {
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

/** Let nothing be drawn meanwhile: it would be saved over what the server makes. */
function hold(correction, isHeld) {
  correction.hold(isHeld);
  state.viewer.holdDrawing(isHeld);
  state.viewer.setDrawing(correction.labels);
}

/** Have the server change the labels of this frame, then go on with them. */
export const onServer = (change) => safely(inTurn(async () => {
  const { correction } = state;
  if (!correction) return;
  await correction.finish();
  hold(correction, true);
  try { update(await change(state.shown.id, state.viewer.frame)); } catch (error) {
    hold(correction, false);
    throw error;
  }
  await stopCorrecting();
  await startCorrecting();
}));

export function replay(direction) {
  const labels = direction === "undo" ? state.correction?.undo() : state.correction?.redo();
  if (labels) state.viewer.setDrawing(labels);
}
