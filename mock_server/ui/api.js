// /__admin, called from this page.

const ADMIN = "/__admin";
const KEPT = "eryaosu-mock-token";
const PATIENCE_MS = 5000;

/** An answer that is not 2xx; `field` and `allowed` for bad input. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.message ?? `HTTP ${status}`);
    this.status = status;
    this.field = body.field ?? "";
    this.allowed = body.allowed ?? null;
  }
}

/** No answer at all. */
export class Unreachable extends Error {}

let token = sessionStorage.getItem(KEPT) ?? "";

/** Whether a token is sent. */
export const hasToken = () => token !== "";

/** Send this token from now on, in this tab. */
export function useToken(text) {
  token = text;
  sessionStorage.setItem(KEPT, text);
}

async function call(method, path, body) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  let text;
  try {
    answer = await fetch(ADMIN + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    text = await answer.text();
  } catch (cause) {
    throw new Unreachable("unreachable", { cause });
  }
  const parsed = json(text);
  if (!answer.ok) throw new Refused(answer.status, parsed ?? {});
  if (parsed === null) throw new Refused(answer.status, { message: "not JSON" });
  return parsed;
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);
