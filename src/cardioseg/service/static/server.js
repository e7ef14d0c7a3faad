// The server's API; a token, where one is needed, goes with every request and nowhere else.

import { word } from "./words.js";

const TOKEN = "cardioseg-token";
const FOLLOW_AGAIN_MS = 1000;
const MOST_VAIN = 10;

export class Problem extends Error {
  constructor(status, body) {
    super(body.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "http";
    this.details = body.details ?? {};
  }
}

/** The server does not answer. */
export class Offline extends Error {}

/** What fetch promised; a failed connection is a TypeError there, as a mistake of the page's is. */
const connected = (promise) =>
  promise.catch((error) => { throw error instanceof TypeError ? new Offline(error.message) : error; });

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

function authorization() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function ask(path, options = {}) {
  const answer = await connected(fetch(`/api/${path}`, { ...options, headers: { ...authorization(), ...options.headers } }));
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

const told = async (path, options) => connected((await ask(path, options)).json());

export const models = () => told("models");
export const job = (id) => told(`jobs/${id}`);
export const again = (id, model) => told(`jobs/${id}/again?${new URLSearchParams({ model })}`, { method: "POST" });
export const corrected = (id) => told(`jobs/${id}/corrected`, { method: "POST" });
export const make = (id, extra) => told(`jobs/${id}/extras/${extra}`, { method: "POST" });
export const remove = (id) => ask(`jobs/${id}`, { method: "DELETE" });
export const bytes = async (path) => connected((await ask(path)).arrayBuffer());

const ANY = "*";

/** The labels of one frame, and the digest of the whole label map: it goes with every change. */
export async function frameLabels(id, frame) {
  const answer = await ask(`jobs/${id}/labels/${frame}`);
  return { file: await connected(answer.arrayBuffer()), base: answer.headers.get("ETag") ?? ANY };
}

const change = (id, rest, base, options) => told(`jobs/${id}/labels/${rest}`, { ...options, headers: { "If-Match": base } });

export const save = (id, frame, base, body, seconds) => change(id, `${frame}?seconds=${seconds.toFixed(1)}`, base, { method: "PUT", body });
export const revert = (id, frame, base) => change(id, frame, base, { method: "DELETE" });
export const propagate = (id, frame, base, reach) => change(id, `${frame}/propagate?reach=${reach}`, base, { method: "POST" });

/** Upload a file as the request's body, telling the share that is sent; its name stays here. */
export function upload(file, model, series, told) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/jobs?${new URLSearchParams({ model, series })}`);
    request.responseType = "json";
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && told(event.loaded / event.total);
    request.onload = () =>
      request.status < 300 ? resolve(request.response) : reject(new Problem(request.status, request.response ?? {}));
    request.onerror = () => reject(new Offline());
    request.send(file);
  });
}

const isAtWork = (job) =>
  job.state === "queued" || job.state === "running" || job.extras.some((extra) => extra.state === "waiting");

/** Follow a job until it ends, also where the connection is cut meanwhile. */
export async function follow(id, told) {
  let job = null;
  for (let vain = 0; job === null || isAtWork(job); vain++) {
    if (vain > MOST_VAIN) throw new Offline();
    if (vain) await new Promise((resolve) => setTimeout(resolve, FOLLOW_AGAIN_MS));
    const take = (now) => { job = now; vain = 0; told(now); };
    await listen(id, take).catch((error) => { if (!(error instanceof Offline)) throw error; });
  }
}

/** Listen to a job's server-sent events; EventSource could not send a token. */
async function listen(id, told) {
  const answer = await ask(`jobs/${id}/events`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await connected(reader.read());
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const name = /^event: (.*)$/m.exec(event)?.[1];
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (name === "gone") throw new Problem(404, { code: "gone", message: word("gone") });
      if (name === "job") told(JSON.parse(data));
    }
  }
}

/** Offer bytes of the server as a file. */
export async function download(path, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([await bytes(path)]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
