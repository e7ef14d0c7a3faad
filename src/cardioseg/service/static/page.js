// What is shown and corrected, and how the page tells, refuses and waits.

import * as server from "./server.js";
import { problemWords, word } from "./words.js";

export const $ = (id) => document.getElementById(id);

export const state = {
  jobs: [], shown: null, file: null, viewer: null, correction: null, timer: null, models: [],
  // Uploads are numbered: the last one chosen, and the one whose jobs are shown.
  chosen: 0, scan: 0,
  // The last change of frame that was asked for.
  asked: 0,
};

export function tell(text) { $("status").textContent = text; }

function refuse(error) {
  if (error instanceof server.Problem && error.status === 401) return askToken();
  $("error").textContent = failureWords(error);
}

export function failureWords(error) {
  if (error instanceof server.Problem) return problemWords(error);
  if (error instanceof Told) return error.message;
  return error instanceof server.Offline ? word("offline") : String(error);
}

/** A refusal of the page's own, in words for a person. */
export class Told extends Error {}

/** Whether the labels of a job differ from the model's by hand. */
export const isCorrected = (job) => job.edit?.frames.length > 0;

/** Run something that may fail; its failure is told on the page. */
export const safely = (action) => async (...values) => {
  $("error").textContent = "";
  try { return await action(...values); } catch (error) { return refuse(error); }
};

let turn = Promise.resolve();

/** One at a time, in the order asked for: what changes which job and frame are shown or corrected. */
export const inTurn = (action) => (...values) => {
  const mine = turn.then(() => action(...values));
  turn = mine.catch(() => {});
  return mine;
};

function askToken() {
  const box = $("token-box");
  if (!box.open) box.showModal();
}
