// The top of the page: the numbers to keep an eye on.

import { $, fill, h, say } from "./dom.js";
import { count, t } from "./i18n.js";
import { live } from "./live.js";

const LOW = 0.2; // the vendor warns when so much of the package is left
const UNKNOWN = { no_record: "0007", match: "0000", mismatch: "0008" };

export function render() {
  const { state } = live;
  if (!state) return;
  number("paid", state.paid_calls);
  number("request-count", state.requests);
  number("fault-count", state.faults);
  document.body.classList.toggle("armed", state.faults > 0);
  say($("today"), state.clock.today);
  say($("today-note"), t(state.clock.fixed ? "today.fixed" : "today.real"));
  $("maintenance").setAttribute("aria-checked", String(state.maintenance.on));
  renderPackage(state);
  fill($("how"), facts(state).map((text) => h("span", {}, text)));
}

function number(id, n) {
  const node = $(id);
  const text = count(n);
  if (node.textContent === text) return;
  node.classList.remove("bump");
  if (node.textContent !== "–") requestAnimationFrame(() => node.classList.add("bump"));
  node.textContent = text;
}

function renderPackage({ quota: { used, total, expires_at: expires }, clock: { today } }) {
  const left = total === null ? null : Math.max(0, total - used);
  say($("package"), total === null ? count(used) : `${count(used)} / ${count(total)}`);
  const note = $("package-note");
  say(note, left === null ? t("package.unlimited") : left ? t("package.left", { n: count(left) }) : t("package.out"));
  const bar = $("package-bar");
  bar.parentElement.hidden = left === null;
  bar.max = total || 1;
  bar.value = left ?? 0;
  const level = left === null ? "" : left === 0 ? "out" : left < total * LOW ? "low" : "";
  bar.dataset.level = level;
  note.dataset.level = level;
  const past = expires !== null && today >= expires;
  say($("expires"), expires ?? t("expires.never"));
  say($("expires-note"), past ? t("expires.past") : "");
  $("expires-note").dataset.level = past ? "out" : "";
}

function facts(state) {
  return [
    t(`how.gateway.${state.gateway}`),
    t("how.unknown", { code: UNKNOWN[state.unknown] ?? state.unknown }),
    t("how.charged", { codes: [...state.charged_codes].sort().join(" ") }),
    state.latency_ms ? t("how.latency", { n: count(state.latency_ms) }) : null,
    state.throttle.calls_per_second ? t("how.rate", { n: count(state.throttle.calls_per_second) }) : null,
    t(state.reveal ? "how.reveal" : "how.masked"),
  ].filter(Boolean);
}
