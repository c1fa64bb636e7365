// The page of the mock's controls: wires its parts together. It offers only what /__admin offers.

import { hasToken, post, useToken } from "./api.js";
import { $, say } from "./dom.js";
import * as faults from "./faults.js";
import { sentence } from "./forms.js";
import { clock, t, toggle, translatePage } from "./i18n.js";
import * as identities from "./identities.js";
import * as journal from "./journal.js";
import * as ledger from "./ledger.js";
import { live, refresh, start } from "./live.js";
import * as send from "./send.js";
import * as settings from "./settings.js";
import * as stats from "./stats.js";
import { announce } from "./toast.js";

let choices = [];

function render() {
  renderConnection();
  stats.render();
  journal.render();
  ledger.render();
  faults.render();
  settings.render();
  identities.render();
  if (choices !== live.identities) {
    choices = live.identities;
    send.renderChoices();
  }
}

function renderConnection() {
  const { connection } = live;
  document.body.dataset.connection = connection;
  say($("status"), t(`status.${connection}`));
  const away = connection === "lost" || connection === "locked";
  $("lost").hidden = !away;
  if (away) {
    say($("lost-text"), reason());
    say($("lost-retry"), t(`${connection}.retry`));
  }
  if (connection === "locked") askForToken();
  const paid = live.state && connection === "up" ? `${live.state.paid_calls} · ` : "";
  document.title = (away ? "⚠ " : paid) + t("title");
}

function reason() {
  const { connection, trouble, seenAt } = live;
  if (connection === "locked") return t("locked.text");
  if (trouble?.status) return t("lost.failed", { status: trouble.status, message: trouble.message });
  const url = location.origin;
  return seenAt ? t("lost.text", { url, time: clock(seenAt) }) : t("lost.first", { url });
}

function askForToken() {
  const dialog = $("token-dialog");
  if (dialog.open || dialog.dataset.dismissed) return;
  say($("token-error"), hasToken() ? t("token.wrong") : "");
  $("token-input").value = "";
  dialog.showModal();
}

function setUpToken() {
  const dialog = $("token-dialog");
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = $("token-input").value.trim();
    if (!token) {
      say($("token-error"), t("token.empty"));
      return;
    }
    useToken(token);
    dialog.close("yes");
    refresh();
  });
  $("token-cancel").addEventListener("click", () => dialog.close());
  // Once put away it stays away; the banner opens it again.
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") delete dialog.dataset.dismissed;
    else dialog.dataset.dismissed = "yes";
    dialog.returnValue = "";
  });
  $("lost-retry").addEventListener("click", () => {
    delete dialog.dataset.dismissed;
    if (live.connection === "locked") askForToken();
    else refresh();
  });
}

/** Do what a button asks for, and say how it went. */
async function act(doIt) {
  try {
    announce(await doIt());
  } catch (error) {
    announce(sentence(error));
    await refresh();
  }
}

function setUpTop() {
  $("language").addEventListener("click", () => {
    toggle();
    translatePage();
    render();
    send.renderChoices();
    send.renderAnswer();
  });
  $("maintenance").addEventListener("click", () =>
    act(async () => {
      const { on } = await post("/maintenance", { on: !live.state?.maintenance.on });
      await refresh();
      return t(on ? "maintenance.on" : "maintenance.off");
    }),
  );
  const dialog = $("reset-dialog");
  $("reset").addEventListener("click", () => {
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") return;
    act(async () => {
      await post("/reset");
      await refresh();
      return t("reset.done");
    });
  });
}

translatePage();
setUpTop();
setUpToken();
for (const part of [send, faults, journal, ledger, settings, identities]) part.setUp(act);
send.renderAnswer();
render();
start(render);
