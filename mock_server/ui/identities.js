// The published test identities: find one, send it, take it along.

import { chargeBadge, codeOf, kindBadge } from "./badges.js";
import { curlFor } from "./curl.js";
import { $, h, say, sync } from "./dom.js";
import { count, language, meaning, t } from "./i18n.js";
import { live, refresh } from "./live.js";
import { booked, groupOf, summary } from "./send.js";
import { kindOf, parts, row } from "./tables.js";
import { announce, take } from "./toast.js";
import { appcode, ask } from "./upstream.js";

// By number: an AbortController while a call runs, then its result.
const sent = new Map();

export function setUp() {
  $("identities-search").addEventListener("input", render);
  $("identities-filter").addEventListener("change", render);
}

export function render() {
  const all = live.identities;
  const shown = all.filter(fits);
  say($("identities-count"), t("identities.count", { shown: count(shown.length), all: count(all.length) }));
  $("identities-none").hidden = shown.length > 0 || all.length === 0;
  $("identities-table").parentElement.hidden = shown.length === 0;
  sync($("identities-rows"), shown, {
    key: (identity) => identity.id_number,
    sign: (identity) => `${language()} ${identity.charged} ${state(identity)}`,
    build,
  });
}

function state({ id_number: number }) {
  const held = sent.get(number);
  if (!held) return "";
  if (held instanceof AbortController) return "running";
  return `${held.status} ${held.ms} ${booked(held)?.charged}`;
}

function fits(identity) {
  const filter = $("identities-filter").value;
  const wanted = $("identities-search").value.trim().toLowerCase();
  const group = filter === "charged" ? identity.charged : filter === "free" ? !identity.charged
    : filter === "all" || groupOf(identity) === filter;
  const { en = "", zh = "" } = row(kindOf(identity.answers));
  const text = [identity.name, identity.id_number, identity.answers, identity.when ?? "", en, zh];
  return group && text.join("\n").toLowerCase().includes(wanted);
}

function build(identity) {
  const cell = (name, label, ...children) =>
    h("td", { role: "cell", class: name, dataset: { label } }, children);
  return h("tr", { role: "row", dataset: { testid: "identity" } },
    cell("name", t("name"), h("span", { lang: "zh-CN" }, identity.name)),
    cell("mono id", t("number"), identity.id_number),
    cell("what", t("col.answers"), answers(identity)),
    cell("charge", t("col.charge"), chargeBadge(identity.charged)),
    cell("try", t("col.try"), buttons(identity), outcome(identity)),
  );
}

function answers({ answers: code, when }) {
  const kind = kindOf(code);
  const [group] = parts(kind);
  if (group === "resp_code") return codeOf(code, "");
  return [
    kindBadge(kind), " ", h("span", { class: "meaning" }, meaning(row(kind))),
    when ? h("span", { class: "when" }, t(when)) : null,
  ];
}

function buttons(identity) {
  const { name, id_number: number } = identity;
  const running = sent.get(number) instanceof AbortController;
  return h("div", { class: "buttons" },
    h("button", {
      type: "button", class: "small", dataset: { testid: "identity-send" },
      "aria-label": t(running ? "send.stop.of" : "send.of", { name }),
      onclick: () => (running ? sent.get(number).abort() : send(identity)),
    }, t(running ? "send.stop" : "send.button")),
    h("button", {
      type: "button", class: "small quiet", dataset: { testid: "identity-curl" },
      "aria-label": t("copy.curl.of", { name }),
      onclick: () => take(curlFor(name, number, appcode())),
    }, "curl"),
  );
}

function outcome({ id_number: number }) {
  const held = sent.get(number);
  return held && !(held instanceof AbortController) ? summary(held) : null;
}

async function send(identity) {
  const { name, id_number: number } = identity;
  const controller = new AbortController();
  sent.set(number, controller);
  render();
  const result = await ask(name, number, controller.signal);
  sent.set(number, result);
  await refresh();
  render();
  announce(`${name}: ${spoken(summary(result))}`);
}

const spoken = (node) => [...node.children].map((child) => child.textContent).filter(Boolean).join(", ");
