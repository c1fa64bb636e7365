// A call as a command line that can be pasted.

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export const PATH = "/idenAuthentication";

/** The call of a name and a number. */
export function curlFor(name, idNo, appcode) {
  return lines("POST", PATH, [["Authorization", `APPCODE ${appcode}`]], { name, idNo });
}

/** The call of a journal entry; what is masked in it becomes a placeholder. */
export function curlOf(entry, reveal) {
  const { authorization, "content-type": type } = entry.headers;
  const headers = [];
  if (authorization) {
    const scheme = authorization.startsWith("APPCODE ");
    const placeholder = scheme ? "APPCODE YOUR_APPCODE" : "YOUR_AUTHORIZATION";
    headers.push(["Authorization", reveal ? authorization : placeholder]);
  }
  // curl sends this one by itself, and needs no telling.
  if (type && !type.startsWith("application/x-www-form-urlencoded")) headers.push(["Content-Type", type]);
  const { name, idNo } = entry.fields;
  const fields = reveal ? { name, idNo } : { name: name && "NAME", idNo: idNo && "ID_NUMBER" };
  return lines(entry.method, entry.path, headers, fields);
}

function lines(method, path, headers, fields) {
  const form = Object.entries(fields).filter(([, value]) => value !== "");
  const command = [`curl -i ${quote(location.origin + path)}`];
  if (method !== (form.length ? "POST" : "GET")) command.push(`-X ${quote(method)}`);
  for (const [key, value] of headers) command.push(`-H ${quote(`${key}: ${value}`)}`);
  for (const [key, value] of form) command.push(`--data-urlencode ${quote(`${key}=${value}`)}`);
  return command.join(" \\\n  ");
}
