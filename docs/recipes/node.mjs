// node.mjs [URL]: one call, and what it cost. Node 18 or newer, no dependency.
const url = process.argv[2] ?? process.env.MOCK_URL ?? "http://127.0.0.1:8001";

await fetch(`${url}/__admin/reset`, { method: "POST" });
const answer = await fetch(`${url}/idenAuthentication`, {
  method: "POST",
  headers: { Authorization: "APPCODE any" },
  body: new URLSearchParams({ name: "李秀英", idNo: "120101185304270249" }),
});
const ledger = await (await fetch(`${url}/__admin/ledger`)).json();

// A gateway's refusal has an empty body: look at the status before the JSON.
const code = answer.ok ? (await answer.json()).respCode : answer.headers.get("X-Ca-Error-Message");
console.log("respCode", code);
console.log("paid_calls", ledger.paid_calls);
process.exitCode = code === "0000" && ledger.paid_calls === 1 ? 0 : 1;
