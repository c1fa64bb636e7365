// The charge ledger, and the count for one number.

import { post } from "./api.js";
import { badge, chargeBadge, codeOf } from "./badges.js";
import { $, h, say, sync } from "./dom.js";
import { onSubmit } from "./forms.js";
import { clock, count, language, t } from "./i18n.js";
import { live } from "./live.js";

export function setUp() {
  onSubmit($("count-form"), async () => {
    const { paid_calls: n } = await post("/ledger/count", { id_number: $("count-number").value.trim() });
    return t("count.said", { n: count(n) });
  });
}

export function render() {
  if (!live.ledger) return;
  const { paid_calls: paid, used, total, entries } = live.ledger;
  const key = total === null ? "ledger.count.unlimited" : "ledger.count";
  say($("ledger-count"), t(key, { paid: count(paid), used: count(used), total: count(total ?? 0) }));
  $("ledger-empty").hidden = entries.length > 0;
  $("ledger-table").parentElement.hidden = entries.length === 0;
  sync($("ledger-rows"), entries, {
    key: (entry) => entry.request_id,
    sign: (entry) => language() + JSON.stringify(entry),
    build,
  });
}

function build(entry) {
  const cell = (name, label, ...children) =>
    h("td", { role: "cell", class: name, dataset: { label } }, children);
  return h("tr", { role: "row", dataset: { testid: "ledger-row" } },
    cell("time", t("col.time"), h("time", { datetime: entry.at, title: entry.at }, clock(entry.at))),
    cell("mono id", t("number"), entry.id_number_masked),
    cell("what", t("col.vendor"), codeOf(entry.resp_code, "")),
    cell("charge", t("col.charge"), chargeBadge(entry.charged)),
    cell("arrived", t("col.arrived"), entry.answered ? t("yes") : badge("fault", t("ledger.lost"))),
  );
}
