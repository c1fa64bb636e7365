// Arming faults, and the list of those that are armed.

import { post, remove } from "./api.js";
import { kindBadge } from "./badges.js";
import { $, fill, h, say, sync } from "./dom.js";
import { numeral, onSubmit } from "./forms.js";
import { count, language, meaning, t } from "./i18n.js";
import { live, refresh } from "./live.js";
import { KINDS, parts, row, takesWhen } from "./tables.js";

export function setUp(act) {
  $("fault-kind").addEventListener("change", () => {
    $("fault-value").value = row($("fault-kind").value).usual ?? "";
    renderForm();
  });
  $("faults-clear").addEventListener("click", () =>
    act(async () => {
      await remove("/faults");
      $("faults-title").focus();
      await refresh();
      return t("faults.cleared");
    }),
  );
  onSubmit($("fault-form"), async () => {
    const armed = await post("/faults", typed());
    await refresh();
    return t("fault.armed", { id: armed.id, kind: armed.kind });
  });
  clearOne = (fault) =>
    act(async () => {
      const place = live.faults.findIndex((other) => other.id === fault.id);
      await remove(`/faults/${fault.id}`);
      await refresh();
      // Whoever works without a mouse goes on where the fault was.
      const left = $("fault-list").children;
      (left[Math.min(place, left.length - 1)]?.querySelector("button") ?? $("faults-title")).focus();
      return t("fault.cleared", { id: fault.id });
    });
}

let clearOne = () => {};

function typed() {
  const kind = $("fault-kind").value;
  const text = (id) => $(id).value.trim() || undefined;
  return {
    kind,
    value: $("fault-value").parentElement.hidden ? undefined : value(kind),
    when: takesWhen(kind) ? $("fault-when").value : undefined,
    times: numeral($("fault-times")),
    probability: numeral($("fault-probability")),
    seed: numeral($("fault-seed")),
    match: { id_number: text("fault-number"), name: text("fault-name"), nth_call: numeral($("fault-nth")) },
  };
}

function value(kind) {
  return row(kind).unit ? numeral($("fault-value")) : $("fault-value").value.trim() || undefined;
}

/** The kinds and the fields that go with the chosen one, in the current language. */
export function renderForm() {
  const select = $("fault-kind");
  if (select.dataset.language !== language()) {
    const chosen = select.value || "reset";
    fill(select, Object.entries(KINDS).map(([group, kinds]) =>
      h("optgroup", { label: t(`group.${group}`) }, kinds.map((kind) =>
        h("option", { value: kind }, `${parts(kind)[1]} · ${meaning(row(kind))}`)))));
    select.value = chosen;
    select.dataset.language = language();
  }
  const kind = select.value;
  const when = takesWhen(kind);
  $("fault-when").parentElement.hidden = !when;
  $("fault-table").hidden = when;
  renderValue(kind);
}

function renderValue(kind) {
  const { unit, low, high } = row(kind);
  let label = "";
  let hint = "";
  if (unit) {
    label = t("fault.value", { unit: t(`unit.${unit}`) });
    hint = t("fault.value.range", { low: count(low), high: count(high) });
  } else if (kind === "unknown_code") {
    label = t("fault.code");
    hint = t("fault.code.hint");
  } else if (parts(kind)[0] === "gateway" && live.state?.gateway === "old") {
    // Only the older generation has more than one way of saying it.
    label = t("fault.message");
    hint = t("fault.message.hint");
  }
  const input = $("fault-value");
  input.parentElement.hidden = !label;
  input.inputMode = unit ? "numeric" : "text";
  say($("fault-value-label"), label);
  say($("fault-value-hint"), hint);
}

export function render() {
  renderForm();
  $("faults-clear").hidden = live.faults.length === 0;
  sync($("fault-list"), live.faults, {
    key: (fault) => fault.id,
    sign: (fault) => language() + JSON.stringify(fault),
    build,
  });
  const empty = $("faults-empty");
  empty.hidden = live.faults.length > 0 || live.state === null;
  if (empty.dataset.language === language()) return;
  empty.dataset.language = language();
  fill(empty, t("faults.empty"), " ", h("button", {
    type: "button", class: "small", id: "fault-try", onclick: prepare,
  }, t("faults.try")));
}

function prepare() {
  $("fault-kind").value = "reset";
  $("fault-when").value = "after_charge";
  $("fault-times").value = "1";
  renderForm();
  $("fault-arm").focus();
}

function build(fault) {
  const { id, kind, times, fired, seen, probability, seed, match } = fault;
  const spent = times !== null && fired >= times;
  const who = [match.name, match.id_number].filter(Boolean).join(" ");
  const only = [who, match.nth_call && t("fault.only.nth", { n: match.nth_call })].filter(Boolean);
  const facts = [
    fault.when && t(fault.when),
    fault.value !== null && shownValue(fault),
    times !== null && (spent ? t("fault.spent") : t("fault.left", { n: count(times - fired) })),
    probability < 1 && t("fault.p", { p: probability, seed }),
    only.length > 0 && t("fault.only", { what: only.join(" · ") }),
  ].filter(Boolean);
  return h("li", { class: spent ? "spent" : "", dataset: { testid: "fault" } },
    h("div", { class: "fault-head" },
      h("span", { class: "no" }, `#${id}`), kindBadge(kind),
      h("span", { class: "meaning" }, meaning(row(kind))),
      h("button", {
        type: "button", class: "small", dataset: { testid: "fault-clear" },
        "aria-label": t("fault.clear.of", { id, kind }), onclick: () => clearOne(fault),
      }, t("fault.clear"))),
    h("p", { class: "facts" }, [...facts, t("fault.fired", { fired: count(fired), seen: count(seen) })].join(" · ")),
  );
}

function shownValue({ kind, value: amount }) {
  const { unit } = row(kind);
  return unit ? `${count(amount)} ${t(`unit.${unit}`)}` : String(amount);
}
