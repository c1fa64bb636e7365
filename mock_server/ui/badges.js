// The small signs that all tables share.

import { h } from "./dom.js";
import { meaning, t } from "./i18n.js";
import { GATEWAY_CODES, parts, RESP_CODES, row } from "./tables.js";

export const badge = (kind, text) => h("span", { class: `badge ${kind}` }, text);

export const chargeBadge = (charged) =>
  charged ? badge("charged", t("charged")) : badge("plain", t("free"));

/** A respCode or gateway code with its meaning. */
export function codeOf(respCode, gatewayCode) {
  const code = gatewayCode || respCode;
  if (!code) return [];
  const kind = gatewayCode ? "gateway" : respCode === "0000" ? "match" : "resp";
  const text = meaning(gatewayCode ? GATEWAY_CODES[code] : RESP_CODES[code]);
  return [badge(kind, code), " ", h("span", { class: "meaning" }, text)];
}

/** A kind of fault, short. */
export function kindBadge(kind) {
  const [group, code] = parts(kind);
  return badge(group === "transport" ? "fault" : group === "gateway" ? "gateway" : "resp", code);
}

/** A fault that hit a call. */
export const faultOf = (fault) => [
  h("span", { class: "badge fault", title: meaning(row(fault.kind)) }, fault.kind),
  fault.when ? h("span", { class: "when" }, t(fault.when)) : null,
];
