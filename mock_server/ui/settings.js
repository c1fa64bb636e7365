// What of the mock's state can be set: package, clock, throttle, AppCodes, people.

import { post } from "./api.js";
import { $, say } from "./dom.js";
import { numeral, onSubmit, run } from "./forms.js";
import { count, t } from "./i18n.js";
import { live, refresh } from "./live.js";

const typing = new Set();

export function setUp() {
  for (const id of ["quota", "clock", "throttle"]) {
    const form = $(`${id}-form`);
    // What somebody types must not be overwritten by the next poll.
    form.addEventListener("input", () => typing.add(id));
    form.closest("details").addEventListener("toggle", () => {
      typing.delete(id);
      render();
    });
  }
  save("quota", "/quota", () => ({
    used: numeral($("quota-used"), 0),
    total: numeral($("quota-total"), null),
    expires_at: $("quota-expires").value || null,
  }));
  save("clock", "/clock", () => ({ today: $("clock-today").value || null }));
  save("throttle", "/throttle", () => ({ calls_per_second: numeral($("throttle-rate"), null) }));
  $("clock-real").addEventListener("click", () =>
    run($("clock-form"), () => saved("clock", "/clock", { today: null })),
  );
  onSubmit($("appcodes-form"), () => replaceAppcodes($("appcodes-list").value.split(/\s+/).filter(Boolean)));
  $("appcodes-any").addEventListener("click", () => run($("appcodes-form"), () => replaceAppcodes([])));
  onSubmit($("people-form"), async () => {
    await post("/people", [{ name: $("people-name").value, id_number: $("people-number").value.trim() }]);
    $("people-name").value = "";
    $("people-number").value = "";
    await refresh();
    return t("people.added");
  });
}

function save(id, path, body) {
  onSubmit($(`${id}-form`), () => saved(id, path, body()));
}

async function saved(id, path, body) {
  await post(path, body);
  typing.delete(id);
  await refresh();
  return t("saved");
}

async function replaceAppcodes(codes) {
  await post("/appcodes", codes);
  $("appcodes-list").value = "";
  await refresh();
  return t("saved");
}

export function render() {
  const { state } = live;
  if (!state) return;
  const { used, total, expires_at: expires } = state.quota;
  say($("quota-now"), total === null ? t("quota.unlimited") : `${count(used)} / ${count(total)}`);
  say($("clock-now"), `${state.clock.today} · ${t(state.clock.fixed ? "today.fixed" : "today.real")}`);
  const rate = state.throttle.calls_per_second;
  say($("throttle-now"), rate === null ? t("throttle.none") : t("throttle.now", { n: count(rate) }));
  const { any, count: codes } = state.appcodes;
  say($("appcodes-now"), any ? t("appcodes.now.any") : t("appcodes.now", { n: count(codes) }));
  say($("people-now"), t("people.now", { n: count(state.people) }));
  if (!typing.has("quota")) {
    $("quota-used").value = used;
    $("quota-total").value = total ?? "";
    $("quota-expires").value = expires ?? "";
  }
  if (!typing.has("clock")) $("clock-today").value = state.clock.today;
  if (!typing.has("throttle")) $("throttle-rate").value = rate ?? "";
}
