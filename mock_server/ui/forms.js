// Forms of this page: what is typed goes to the mock as it is, and its objections come back beside
// the field.

import { Refused } from "./api.js";
import { h, say } from "./dom.js";
import { t, translated } from "./i18n.js";

/** Run `act` on submit; it gives what to say when all went well. */
export function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(form, act);
  });
}

/** Run `act` for a form, and show what comes of it. */
export async function run(form, act) {
  clearErrors(form);
  const said = form.querySelector(".said");
  try {
    say(said, await act());
  } catch (error) {
    say(said, "");
    show(form, error);
  }
}

/** An error as a sentence. */
export function sentence(error) {
  if (error instanceof Refused) return translated(error.message);
  return t("unreachable");
}

function show(form, error) {
  // "value (ms)" and "[0].name" are the fields value and name.
  const name = (error.field ?? "").replace(/ \(.*\)$/, "").replace(/^\[\d+\]\.?/, "") || "body";
  const field = form.querySelector(`[data-field="${CSS.escape(name)}"]`);
  const control = field?.querySelector("input, select, textarea");
  if (!control || field.hidden) {
    const text = (error.field ? `${error.field}: ` : "") + sentence(error);
    form.append(h("p", { class: "error wide", role: "alert" }, text));
    return;
  }
  const id = `${control.id}-error`;
  field.append(h("p", { class: "error", id, role: "alert" }, sentence(error), allowed(error, control)));
  control.setAttribute("aria-invalid", "true");
  const described = control.getAttribute("aria-describedby");
  control.dataset.described = described ?? "";
  control.setAttribute("aria-describedby", described ? `${described} ${id}` : id);
  field.closest("details")?.setAttribute("open", "");
  control.focus();
}

function allowed(error, control) {
  if (error.allowed === null) return null;
  if (!Array.isArray(error.allowed)) return ` (${translated(String(error.allowed))})`;
  const choices = error.allowed.map((choice) =>
    h("button", {
      type: "button",
      class: "choice",
      onclick: () => {
        control.value = choice;
        control.focus();
      },
    }, String(choice)),
  );
  return h("span", { class: "choices" }, t("allowed", { what: "" }), choices);
}

function clearErrors(form) {
  for (const node of form.querySelectorAll(".error")) node.remove();
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    if (control.dataset.described) control.setAttribute("aria-describedby", control.dataset.described);
    else control.removeAttribute("aria-describedby");
  }
}

/** A typed number as a number; nothing as `empty`; anything else as typed, for the mock to refuse. */
export function numeral(input, empty = undefined) {
  const text = input.value.trim();
  if (text === "") return empty;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
