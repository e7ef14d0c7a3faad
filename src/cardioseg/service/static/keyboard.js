// The keyboard: the crosshair, the frame, the brush, and undo and redo.

import { changeFrame, replay, takeBrush } from "./correcting.js";
import { $, state } from "./page.js";

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

export function onKey(event) {
  // NiiVue listens on the canvas too: it would move a second time, or the image without its labels.
  event.stopImmediatePropagation();
  if (!$("canvas").dataset.shown) return;
  const digit = /^\d$/.test(event.key) && state.correction && [...$("label").options].some((each) => each.value === event.key);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (digit) { $("label").value = event.key; takeBrush(); }
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  state.correction?.alive();
  event.preventDefault();
}

export function onUndoKey(event) {
  if (!state.correction || !(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  if (key === "z") replay(event.shiftKey ? "redo" : "undo");
  else if (key === "y") replay("redo");
  else return;
  event.preventDefault();
}
