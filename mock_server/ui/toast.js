// One short message at the foot of the page, spoken and soon gone.

import { $, copy, say } from "./dom.js";
import { t } from "./i18n.js";

const SHOWN_MS = 5000;

let timer = 0;

export function announce(text) {
  clearTimeout(timer);
  say($("announce"), text);
  timer = setTimeout(() => say($("announce"), ""), SHOWN_MS);
}

/** Copy a text, and say whether it worked. */
export async function take(text) {
  announce(t((await copy(text)) ? "copied" : "copy.failed"));
}
