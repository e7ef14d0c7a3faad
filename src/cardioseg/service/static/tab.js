// The jobs of this tab, each with the number of its scan, kept where a reload finds them.

import { state } from "./page.js";

const JOBS = "cardioseg-jobs";

const scans = new Map();

export const scanOf = (job) => scans.get(job.id);
export const doneJobs = () => state.jobs.filter((job) => job.state === "done");

export function keepJob(job, scan) {
  const isKnown = scans.has(job.id);
  scans.set(job.id, scan);
  state.jobs = isKnown ? state.jobs.map((each) => (each.id === job.id ? job : each)) : [...state.jobs, job];
  store();
}

export function dropJob(id) {
  scans.delete(id);
  state.jobs = state.jobs.filter((job) => job.id !== id);
  store();
}

function store() {
  sessionStorage.setItem(JOBS, JSON.stringify(state.jobs.map((job) => [job.id, scanOf(job)])));
}

/** Id and scan of each job that the tab had before; a page of an earlier version kept the ids alone. */
export const storedJobs = () =>
  JSON.parse(sessionStorage.getItem(JOBS) ?? "[]").map((each) => (Array.isArray(each) ? each : [each, 1]));
