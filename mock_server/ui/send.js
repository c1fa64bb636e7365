// "Send one": the form, and the answer as it came.

import { chargeBadge, codeOf, badge } from "./badges.js";
import { curlFor, PATH } from "./curl.js";
import { $, fill, h } from "./dom.js";
import { duration, meaning, t } from "./i18n.js";
import { live, refresh } from "./live.js";
import { GATEWAY_CODES, kindOf, parts, RESP_CODES, row } from "./tables.js";
import { take } from "./toast.js";
import { appcode, ask, decoded } from "./upstream.js";

const SAMPLES = [["张三", "0000"], ["李四", "0008"]];
const SAMPLE_NUMBER = "340421190710145412";
const SHOWN_CHARACTERS = 4000;

let sending = null;
let shown = null;

export function setUp() {
  $("send-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  $("send-stop").addEventListener("click", () => sending?.abort());
  $("send-curl").addEventListener("click", () =>
    take(curlFor($("send-name").value, $("send-number").value, appcode())),
  );
  $("send-identity").addEventListener("change", (event) => {
    const chosen = event.target.selectedOptions[0];
    if (chosen.value) put(chosen.dataset.name, chosen.dataset.number);
  });
  for (const input of [$("send-name"), $("send-number")]) {
    input.addEventListener("input", () => {
      $("send-identity").value = "";
    });
  }
}

function put(name, number) {
  $("send-name").value = name;
  $("send-number").value = number;
}

async function send() {
  if (sending) return;
  sending = new AbortController();
  $("send-stop").hidden = false;
  $("send-button").setAttribute("aria-disabled", "true");
  fill($("send-said"), h("p", { class: "hint" }, t("send.waiting")));
  fill($("send-more"));
  const before = new Set(live.requests.map((entry) => entry.request_id));
  const result = await ask($("send-name").value, $("send-number").value, sending.signal);
  if (document.activeElement === $("send-stop")) $("send-button").focus();
  $("send-stop").hidden = true;
  await refresh();
  sending = null;
  $("send-button").removeAttribute("aria-disabled");
  result.times = live.requests.filter((entry) => !before.has(entry.request_id) && isMine(entry)).length;
  shown = result;
  renderAnswer();
}

const isMine = ({ method, path, headers: { "user-agent": agent } }) =>
  method === "POST" && path === PATH && agent === navigator.userAgent;

/** The choices, in the current language; what is chosen stays so. */
export function renderChoices() {
  const select = $("send-identity");
  const chosen = select.value;
  const first = live.identities.find((identity) => !identity.any_name);
  const groups = { person: [], resp_code: [], gateway: [], transport: [] };
  for (const identity of live.identities) groups[groupOf(identity)].push(identity);
  fill(
    select,
    h("option", { value: "" }, t("send.own")),
    h("optgroup", { label: t("send.samples") }, SAMPLES.map(([name, code]) =>
      h("option", { value: `sample ${name}`, dataset: { name, number: SAMPLE_NUMBER } },
        `${name} · ${code} ${meaning(RESP_CODES[code])}`))),
    Object.entries(groups).map(([group, identities]) =>
      h("optgroup", { label: t(`group.${group}`) }, identities.map(choice))),
  );
  select.value = chosen;
  if (!$("send-name").value && !$("send-number").value && first) {
    put(first.name, first.id_number);
    select.value = first.id_number;
  }
}

/** Which of the groups an identity belongs to. */
export const groupOf = (identity) =>
  identity.any_name ? parts(kindOf(identity.answers))[0] : "person";

function choice(identity) {
  const { name, id_number: number, answers, when } = identity;
  const what = [answers, meaning(row(kindOf(answers))), when && t(when)].filter(Boolean).join(" · ");
  const text = identity.any_name ? `${what}` : name;
  return h("option", { value: number, dataset: { name, number } }, text);
}

/** The journal's word on a result that was answered: charged or not. */
export const booked = (result) =>
  result.requestId ? live.requests.find((entry) => entry.request_id === result.requestId) : undefined;

export function renderAnswer() {
  if (sending) return;
  if (!shown) {
    fill($("send-more"), h("p", { class: "empty" }, t("send.empty", { path: PATH })));
    return;
  }
  // Spoken is only the outcome; headers and body are there to be read.
  fill($("send-said"), summary(shown), notes(shown));
  fill($("send-more"), shown.status === null ? null : [headers(shown), body(shown)]);
}

/** One line: status, code and meaning, charged or not, how long. */
export function summary(result) {
  const { json } = decoded(result);
  const gatewayCode = new Map(result.headers).get("x-ca-error-code") ?? "";
  const message = new Map(result.headers).get("x-ca-error-message") ?? "";
  const respCode = typeof json?.respCode === "string" ? json.respCode : "";
  const known = gatewayCode in GATEWAY_CODES || respCode in RESP_CODES;
  const entry = booked(result);
  return h("p", { class: "summary", dataset: { testid: "answer-summary" } },
    badge(result.status === 200 ? "http" : "http bad", result.status ?? t("send.none")),
    codeOf(respCode, gatewayCode),
    known ? null : h("span", { class: "meaning" }, message),
    entry ? chargeBadge(entry.charged) : null,
    h("span", { class: "took" }, duration(result.ms)),
  );
}

function notes(result) {
  const found = [];
  if (result.stopped) found.push(t("send.stopped", { n: Math.round(result.ms) }), t("send.look"));
  if (result.broke) found.push(t(result.status === null ? "send.broken" : "send.cut"));
  if (result.times > 1) found.push(t("send.repeated", { n: result.times }));
  else if (result.broke && result.status === null) found.push(t("send.look"));
  if (result.status !== null && result.size) {
    const { utf8, json } = decoded(result);
    if (!utf8) found.push(t("send.utf8"));
    if (json === null && result.size === result.body.length) found.push(t("send.json"));
  }
  return found.map((text) => h("p", { class: "hint" }, text));
}

function headers(result) {
  return [
    h("h3", {}, t("send.headers")),
    h("dl", { class: "pairs mono" }, result.headers.map(([key, value]) =>
      h("div", {}, h("dt", {}, spelled(key)), h("dd", {}, value)))),
  ];
}

/** x-ca-request-id is X-Ca-Request-Id. */
const spelled = (key) => key.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

function body(result) {
  if (result.size === 0 && result.broke) return null;
  const { text, json } = decoded(result);
  const pretty = json === null ? text : JSON.stringify(json, null, 2);
  const long = result.size > SHOWN_CHARACTERS;
  return [
    h("h3", {}, t("send.body")),
    result.size === 0
      ? h("p", { class: "hint" }, t("send.nobody"))
      : h("pre", { class: "code", tabindex: "0", dataset: { testid: "answer-body" } },
        pretty.slice(0, SHOWN_CHARACTERS).trimEnd()),
    long ? h("p", { class: "hint" }, t("send.long", { n: SHOWN_CHARACTERS, all: result.size })) : null,
  ];
}
