// The server's API; a token, where one is needed, goes with every request and nowhere else.

const TOKEN = "cardioseg-token";

export class Problem extends Error {
  constructor(status, body) {
    super(body.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "http";
    this.details = body.details ?? {};
  }
}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

function authorization() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function ask(path, options = {}) {
  const answer = await fetch(`/api/${path}`, { ...options, headers: { ...authorization(), ...options.headers } });
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

export const models = async () => (await ask("models")).json();
export const health = async () => (await ask("health")).json();
export const job = async (id) => (await ask(`jobs/${id}`)).json();
export const again = async (id, model) =>
  (await ask(`jobs/${id}/again?${new URLSearchParams({ model })}`, { method: "POST" })).json();
export const corrected = async (id) => (await ask(`jobs/${id}/corrected`, { method: "POST" })).json();
export const make = async (id, extra) => (await ask(`jobs/${id}/extras/${extra}`, { method: "POST" })).json();
export const remove = (id) => ask(`jobs/${id}`, { method: "DELETE" });
export const bytes = async (path) => (await ask(path)).arrayBuffer();
export const save = async (id, frame, body, seconds) =>
  (await ask(`jobs/${id}/labels/${frame}?seconds=${seconds.toFixed(1)}`, { method: "PUT", body })).json();
export const revert = async (id, frame) => (await ask(`jobs/${id}/labels/${frame}`, { method: "DELETE" })).json();
export const propagate = async (id, frame, reach) =>
  (await ask(`jobs/${id}/labels/${frame}/propagate?reach=${reach}`, { method: "POST" })).json();

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
    request.onerror = () => reject(new TypeError("offline"));
    request.send(file);
  });
}

/** Follow a job by server-sent events until it ends; EventSource could not send a token. */
export async function follow(id, told) {
  const answer = await ask(`jobs/${id}/events`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const name = /^event: (.*)$/m.exec(event)?.[1];
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (name === "gone") throw new Problem(404, { code: "no_such_job", message: "gone" });
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
