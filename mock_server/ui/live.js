// What the mock is like now: polled while the page is seen, with more fetched only after a change.

import { get, Refused } from "./api.js";

const EVERY_MS = 1000;
const SLOWEST_MS = 10_000;
const SHOWN = 100;
// Even if nothing seems to have changed: between two polls a reset and as many calls may have been.
const ANYWAY_EVERY = 10;

/**
 * `connection` is starting, up, lost, or locked (wants the token); `trouble` is the error behind
 * lost; the rest is as /__admin gave it, lists newest first.
 */
export const live = {
  connection: "starting",
  trouble: null,
  seenAt: null,
  state: null,
  requests: [],
  ledger: null,
  faults: [],
  identities: [],
};

let changed = () => {};
let timer = 0;
let wait = EVERY_MS;
let running = null;
let last = "";
let polls = 0;
let all = true;

/** Poll from now on; `onChange` is called after everything that changes `live`. */
export function start(onChange) {
  changed = onChange;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else refresh();
  });
  return refresh();
}

/** Look at everything now; the promise is kept when `live` is at least as new as this call. */
export function refresh() {
  all = true;
  return poll();
}

async function poll() {
  if (running) await running;
  running ??= look().finally(() => {
    running = null;
  });
  return running;
}

async function look() {
  clearTimeout(timer);
  try {
    await fetchAll();
    wait = EVERY_MS;
    to("up", null);
  } catch (error) {
    last = "";
    if (error instanceof Refused && error.status === 401) {
      to("locked", error);
      return;
    }
    if (live.connection === "lost") wait = Math.min(wait * 2, SLOWEST_MS);
    to("lost", error);
  }
  if (!document.hidden) timer = setTimeout(poll, wait);
}

function to(connection, trouble) {
  live.connection = connection;
  live.trouble = trouble;
  changed();
}

async function fetchAll() {
  const state = await get("/state");
  const now = JSON.stringify(state);
  if (live.identities.length === 0 || last === "") live.identities = await get("/identities");
  // A call that still runs changes its entry later, and no counter tells.
  polls += 1;
  const pending = live.requests.some((entry) => entry.duration_ms === null);
  if (all || now !== last || pending || polls % ANYWAY_EVERY === 0) {
    all = false;
    const [journal, ledger, faults] = await Promise.all([
      get(`/requests?limit=${SHOWN}`),
      get(`/ledger?limit=${SHOWN}`),
      get("/faults"),
    ]);
    live.requests = journal.requests.reverse();
    live.ledger = { ...ledger, entries: ledger.entries.reverse() };
    live.faults = faults.faults;
  }
  live.state = state;
  live.seenAt = new Date().toISOString();
  last = now;
}
