// The frame and the plane of the picture that are shown.

import { $, state } from "./page.js";
import { word } from "./words.js";

const DEFAULT_FRAME_MS = 50;

export function setFrame(frame) {
  $("frame").value = frame;
  $("frame-told").textContent = frame;
  state.viewer?.setFrame(frame - 1);
}

export function play(on) {
  clearInterval(state.timer);
  state.timer = null;
  $("play").ariaPressed = String(on);
  $("play").textContent = word(on ? "pause" : "play");
  if (!on) return;
  const times = state.shown.times_ms;
  const step = times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) : DEFAULT_FRAME_MS;
  state.timer = setInterval(() => setFrame((Number($("frame").value) % state.shown.frames) + 1), Math.max(step, 20));
}

export function choosePlane(name) {
  state.viewer?.plane(name);
  for (const button of $("planes").children) button.ariaPressed = String(button.dataset.plane === name);
}
