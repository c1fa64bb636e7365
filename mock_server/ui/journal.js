// The journal: newest first, each request with its details behind a button.

import { remove } from "./api.js";
import { badge, chargeBadge, codeOf, faultOf } from "./badges.js";
import { curlFor, curlOf, PATH } from "./curl.js";
import { $, fill, h, prose, say, sync } from "./dom.js";
import { clock, count, duration, language, meaning, t } from "./i18n.js";
import { live, refresh } from "./live.js";
import { HINTS } from "./tables.js";
import { take } from "./toast.js";

const COLUMNS = 7;
const FILTERS = {
  all: () => true,
  charged: (entry) => entry.charged,
  free: (entry) => !entry.charged,
  fault: (entry) => entry.fault !== null,
  gateway: (entry) => entry.answer.gateway_code !== "" && entry.fault === null,
  hints: (entry) => entry.hints.length > 0,
};

const open = new Set();

export function setUp(act) {
  $("journal-filter").addEventListener("change", render);
  $("journal-clear").addEventListener("click", () =>
    act(async () => {
      const { forgotten } = await remove("/requests");
      live.requests = [];
      await refresh();
      return t("journal.cleared", { n: forgotten });
    }),
  );
}

export function render() {
  const entries = live.requests;
  const shown = entries.filter(FILTERS[$("journal-filter").value]);
  const all = live.state?.requests ?? 0;
  say($("journal-count"), t("journal.count", { shown: count(entries.length), all: count(all) }));
  $("journal-clear").hidden = entries.length === 0;
  $("journal-none").hidden = entries.length === 0 || shown.length > 0;
  $("journal-table").parentElement.hidden = shown.length === 0;
  renderEmpty(entries.length === 0 && live.state !== null);
  // One tbody a request, so that its details can be a row of their own.
  sync($("journal-table"), shown, {
    key: (entry) => entry.request_id,
    sign: (entry) => language() + JSON.stringify(entry),
    build,
  });
}

function renderEmpty(empty) {
  const node = $("journal-empty");
  node.hidden = !empty;
  const [person] = live.identities.filter((identity) => !identity.any_name);
  const sign = `${language()} ${empty} ${person?.id_number}`;
  if (node.dataset.sign === sign) return;
  node.dataset.sign = sign;
  const line = person ? curlFor(person.name, person.id_number, "any") : "";
  fill(node,
    h("p", {}, t("journal.empty")),
    h("pre", { class: "code", tabindex: "0", dataset: { testid: "base-url" } }, location.origin + PATH),
    line ? h("pre", { class: "code", tabindex: "0" }, line) : null,
    line ? h("div", { class: "buttons" }, copyButton(line)) : null,
  );
}

function copyButton(line) {
  return h("button", {
    type: "button", class: "small", dataset: { testid: "copy-curl" },
    onclick: () => take(line),
  }, t("copy.curl"));
}

const cell = (name, label, ...children) =>
  h("td", { role: "cell", class: name, dataset: { label } }, children);

function build(entry) {
  const id = `detail-${entry.request_id}`;
  const isOpen = open.has(entry.request_id);
  const time = clock(entry.at);
  const details = h("tr", { role: "row", class: "detail", id },
    h("td", { role: "cell", colspan: COLUMNS }, isOpen ? detail(entry) : null));
  details.hidden = !isOpen;
  const button = h("button", {
    type: "button", class: "more", dataset: { testid: "more" },
    "aria-expanded": String(isOpen), "aria-controls": id, "aria-label": t("journal.more", { time }),
  });
  const flip = () => {
    const opening = details.hidden;
    if (opening) {
      open.add(entry.request_id);
      fill(details.firstElementChild, detail(entry));
    } else {
      open.delete(entry.request_id);
    }
    details.hidden = !opening;
    button.setAttribute("aria-expanded", String(opening));
  };
  const line = h("tr", {
    role: "row", class: "entry", dataset: { testid: "journal-row" },
    onclick: (event) => {
      // A row is a large target for a mouse, unless it is used to select text.
      if (event.target.closest("button") === button || getSelection().isCollapsed) flip();
    },
  },
    cell("time", t("col.time"), h("time", { datetime: entry.at, title: entry.at }, time)),
    cell("who", t("col.who"), who(entry)),
    cell("what", t("col.answer"), answer(entry), entry.hints.map((hint) =>
      h("p", { class: "callout", dataset: { testid: "hint" } }, prose(meaning(HINTS[hint]) || hint)))),
    cell("charge", t("col.charge"), chargeBadge(entry.charged)),
    cell("fault", t("col.fault"), entry.fault ? faultOf(entry.fault) : null),
    cell("number took", t("col.took"), entry.duration_ms === null ? "" : duration(entry.duration_ms)),
    cell("last", t("col.more"), button),
  );
  return h("tbody", { role: "rowgroup" }, line, details);
}

function who({ method, path, fields: { name, idNo } }) {
  const usual = method === "POST" && path === PATH;
  return [
    usual && name ? h("span", { class: "name", lang: "zh-CN" }, name) : null,
    usual && idNo ? h("span", { class: "mono id" }, idNo) : null,
    usual && (name || idNo) ? null : h("span", { class: "mono id" }, `${method} ${path}`),
  ];
}

function answer({ duration_ms: ms, answer: { status, resp_code: respCode, gateway_code: gatewayCode } }) {
  if (status === null) return badge("http bad", t(ms === null ? "journal.pending" : "journal.lost"));
  return [badge(status === 200 ? "http" : "http bad", status), " ", codeOf(respCode, gatewayCode)];
}

function detail(entry) {
  const pair = (key, ...value) => h("div", {}, h("dt", {}, key), h("dd", {}, value));
  const { status, resp_code: respCode, gateway_code: gatewayCode } = entry.answer;
  const reveal = Boolean(live.state?.reveal);
  const line = curlOf(entry, reveal);
  return h("div", { class: "details", dataset: { testid: "detail" } },
    h("dl", { class: "pairs mono" },
      pair(t("detail.request"), `${entry.method} ${entry.path}`),
      pair(t("detail.id"), entry.request_id),
      pair(t("detail.at"), entry.at),
      pair(t("detail.fields"), `name=${entry.fields.name}  idNo=${entry.fields.idNo}`),
      pair(t("detail.answer"), [status ?? t("journal.lost"), respCode, gatewayCode].filter(Boolean).join("  ")),
    ),
    h("h3", {}, t("detail.headers")),
    h("dl", { class: "pairs mono" }, Object.entries(entry.headers).map(([key, value]) => pair(key, value))),
    h("div", { class: "head" }, h("h3", {}, t("detail.curl")), copyButton(line)),
    h("pre", { class: "code", tabindex: "0", dataset: { testid: "curl" } }, line),
    reveal ? null : h("p", { class: "hint" }, t("detail.masked")),
  );
}
