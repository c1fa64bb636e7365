// Which language the page speaks, and how a text gets its values.

import { FROM_THE_MOCK, TEXTS } from "./texts.js";

const KEPT = "eryaosu-mock-language";
const COLUMN = { en: 0, zh: 1 };

function first() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // Storage may be forbidden; the browser's language is good enough.
  }
  return kept in COLUMN ? kept : navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

let current = first();

/** "en" or "zh". */
export const language = () => current;

/** Speak the other language from now on. */
export function toggle() {
  current = current === "en" ? "zh" : "en";
  try {
    localStorage.setItem(KEPT, current);
  } catch {
    // Then it is forgotten with the tab.
  }
}

/** A text in the current language, `{…}` filled in. */
export function t(key, values = {}) {
  const text = TEXTS[key]?.[COLUMN[current]] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** The meaning of a table's row in the current language. */
export const meaning = (row) => row?.[current] ?? "";

/** What the mock said, in the current language where it is known. */
export function translated(text) {
  if (current === "en") return text;
  for (const [pattern, chinese] of FROM_THE_MOCK) {
    if (pattern.test(text)) return text.replace(pattern, chinese);
  }
  return text;
}

/** Put the texts into the page's own markup. */
export function translatePage() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  document.getElementById("language").lang = current === "zh" ? "en" : "zh-CN";
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", t(node.dataset.tLabel));
  }
  for (const node of document.querySelectorAll("[data-t-placeholder]")) {
    node.placeholder = t(node.dataset.tPlaceholder);
  }
}

const locale = () => (current === "zh" ? "zh-CN" : "en-GB");

/** 12,345 */
export const count = (n) => new Intl.NumberFormat(locale()).format(n);

/** 23:59:59 */
export const clock = (iso) =>
  new Intl.DateTimeFormat(locale(), { timeStyle: "medium", hourCycle: "h23" }).format(new Date(iso));

/** 0.4 ms, 1.5 s */
export function duration(ms) {
  if (ms < 0.1) return "< 0.1 ms";
  const [n, unit] = ms < 1000 ? [ms, "ms"] : [ms / 1000, "s"];
  const digits = n < 10 ? 1 : 0;
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(n)} ${unit}`;
}
