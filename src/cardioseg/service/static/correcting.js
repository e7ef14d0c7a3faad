// Correct the labels of one frame: start, stop, change of frame, and what the server changes.

import { Correction, labelsOf } from "./brush.js";
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

/** Take what is painted: a stroke that is under way has not told of itself yet. */
function takeStroke() {
  state.correction?.stroke(state.viewer.drawing());
}

export async function startCorrecting() {
  play(false);
  const { id } = state.shown;
  const frame = Number($("frame").value) - 1;
  const { file, base } = await server.frameLabels(id, frame);
  // The frame that is edited is the one that is shown, whatever was played or moved meanwhile.
  play(false);
  setFrame(frame + 1);
  const correction = new Correction(file, (body, seconds) => saveLabels(correction, id, frame, body, seconds), canUndo);
  correction.base = base;
  state.correction = correction;
  canUndo(false, false);
  state.viewer.drawn = takeStroke;
  choosePlane("stack");
  takeBrush();
  state.viewer.beginDrawing(state.correction.labels);
  $("tools").hidden = false;
  $("brush").ariaPressed = "true";
  $("brush").textContent = word("stop");
}

async function saveLabels(correction, id, frame, body, seconds) {
  $("saved").textContent = word("saving");
  try {
    const job = await server.save(id, frame, correction.base, body, seconds);
    correction.base = `"${job.edit.sha256}"`;
    update(job);
  } catch (error) {
    if (error instanceof server.Offline) correction.unanswered = body;
    if (isOthers(error) && await isOwn(correction, id, frame)) return saveLabels(correction, id, frame, body, seconds);
    $("saved").textContent = word("unsaved") + failureWords(error);
    if (isOthers(error)) takeAnew(correction, error);
    throw error;
  }
}

/** Whether the labels were changed by this page itself, which had no answer; then they are what it goes on from. */
async function isOwn(correction, id, frame) {
  if (!correction.unanswered) return false;
  const sent = labelsOf(await correction.unanswered.arrayBuffer());
  const { file, base } = await server.frameLabels(id, frame);
  const isSame = labelsOf(file).every((value, k) => value === sent[k]);
  if (isSame) [correction.base, correction.unanswered] = [base, null];
  return isSame;
}

/** Whether a change was refused because somebody else has changed the labels meanwhile. */
const isOthers = (error) => error.code === "changed_meanwhile";

/** Go on with the labels as somebody else has left them, and say so. */
function takeAnew(correction, error) {
  correction.drop();
  return safely(inTurn(async () => {
    if (state.correction === correction) {
      await leaveCorrection(false);
      update(await server.job(state.shown.id));
      await startCorrecting();
    }
    throw error;
  }))();
}

/** Save all of a correction that is left; what cannot be saved is dropped where a person or the server says so. */
async function finish(correction) {
  takeStroke();
  try { await correction.finish(); } catch (error) {
    if (isOthers(error)) update(await server.job(state.shown.id));
    else if (!confirm(word("drop_unsaved", { why: failureWords(error) }))) throw error;
  }
}

/** End the correction. */
export async function leaveCorrection(keep = true) {
  const { correction } = state;
  if (!correction) return;
  if (keep) await finish(correction);
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

/** Have the server change the labels of this frame, as a step that can be undone. */
const onServer = (change, mayChange = () => true) => safely(inTurn(async () => {
  const { correction } = state;
  if (!correction) return;
  const [{ id }, { frame }] = [state.shown, state.viewer];
  takeStroke();
  await correction.finish();
  if (!mayChange(frame)) return;
  hold(correction, true);
  try {
    update(await change(id, frame, correction.base));
    const { file, base } = await server.frameLabels(id, frame);
    correction.take(file);
    correction.base = base;
  } catch (error) {
    if (isOthers(error)) takeAnew(correction, error);
    throw error;
  } finally {
    hold(correction, false);
  }
}));

export const propagate = onServer((id, frame, base) => server.propagate(id, frame, base, Number($("reach").value)));
export const revert = onServer(server.revert, (frame) => !state.shown.edit?.frames.includes(frame) || confirm(word("revert_sure")));

export function replay(direction) {
  takeStroke();
  const labels = direction === "undo" ? state.correction?.undo() : state.correction?.redo();
  if (labels) state.viewer.setDrawing(labels);
}
