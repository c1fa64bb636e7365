// The upstream's own call, made from this page as any client would make it.

import { PATH } from "./curl.js";
import { $ } from "./dom.js";

const KEPT_BYTES = 20_000;

/** The AppCode that is typed in. */
export const appcode = () => $("send-appcode").value;

/**
 * Send one. Whatever happens is a result, never an exception: `status` null is no answer, `broke`
 * says that the connection did, `stopped` that the caller did.
 */
export async function ask(name, idNo, signal) {
  const started = performance.now();
  const result = { name, status: null, headers: [], body: new Uint8Array(), size: 0, requestId: "" };
  try {
    const answer = await fetch(PATH, {
      method: "POST",
      headers: {
        Authorization: `APPCODE ${appcode()}`,
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
      },
      body: new URLSearchParams({ idNo, name }),
      cache: "no-store",
      // Keeps these calls off the connections of /__admin: on one that was used before, a browser
      // repeats a call that breaks, and so do the charges.
      credentials: "omit",
      signal,
    });
    result.status = answer.status;
    result.headers = [...answer.headers].filter(([key]) => /^(x-ca-|content-|server)/.test(key));
    result.requestId = answer.headers.get("x-ca-request-id") ?? "";
    await read(answer, result);
  } catch {
    result.stopped = signal.aborted;
    result.broke = !signal.aborted;
  }
  result.ms = performance.now() - started;
  return result;
}

/** Read chunk by chunk: what came before a break is kept, what is huge is only counted. */
async function read(answer, result) {
  const reader = answer.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) return;
    if (result.size < KEPT_BYTES) {
      const room = KEPT_BYTES - result.size;
      const joined = new Uint8Array(result.body.length + Math.min(value.length, room));
      joined.set(result.body);
      joined.set(value.subarray(0, room), result.body.length);
      result.body = joined;
    }
    result.size += value.length;
  }
}

/** The body as text and as what it is: `json` null is not JSON. */
export function decoded(result) {
  let text;
  let utf8 = true;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(result.body);
  } catch {
    // A cut at the end of what is kept is not the sender's fault.
    utf8 = result.size > result.body.length;
    text = new TextDecoder().decode(result.body);
  }
  let json = null;
  try {
    json = JSON.parse(text);
  } catch {
    // Said to the reader by whoever shows it.
  }
  return { text, utf8, json };
}
