// What the codes and kinds mean. A test holds these tables against the mock's own.

/** respCode -> meaning. */
export const RESP_CODES = {
  "0000": { en: "match", zh: "身份证信息匹配" },
  "0001": { en: "name is empty", zh: "开户名不能为空" },
  "0002": { en: "name has special characters", zh: "开户名不能包含特殊字符" },
  "0003": { en: "number is empty", zh: "身份证号不能为空" },
  "0004": { en: "number is malformed", zh: "身份证号格式错误" },
  "0007": { en: "no such number on record", zh: "无此身份证号码" },
  "0008": { en: "mismatch", zh: "身份证信息不匹配" },
  "0010": { en: "maintenance, try later", zh: "系统维护，请稍后再试" },
};

/** Gateway code -> status in the newer generation, meaning; `maybe`: may come after the charge. */
export const GATEWAY_CODES = {
  A400AC: { status: 400, en: "wrong AppCode", zh: "AppCode 错误" },
  A401AC: { status: 401, en: "wrong AppCode", zh: "AppCode 错误" },
  A400MA: { status: 400, en: "no AppCode sent", zh: "未提供 AppCode" },
  I403AA: { status: 403, en: "not authorised", zh: "未授权" },
  B403MQ: { status: 403, en: "package used up", zh: "套餐包已用完" },
  B403ME: { status: 403, en: "package expired", zh: "套餐包已过期" },
  B403OD: { status: 403, en: "provider in arrears", zh: "服务商欠费" },
  B403MO: { status: 403, en: "account in arrears", zh: "账户欠费" },
  T429ID: { status: 429, en: "throttled: inner domain", zh: "限流：内部域名" },
  T429IN: { status: 429, en: "throttled: instance", zh: "限流：实例" },
  T429GR: { status: 429, en: "throttled: group", zh: "限流：分组" },
  T429PA: { status: 429, en: "throttled: this API", zh: "限流：API" },
  T429PR: { status: 429, en: "throttled: plugin", zh: "限流：插件" },
  T429SR: { status: 429, en: "throttled: server", zh: "限流：服务器" },
  T429MR: { status: 429, en: "throttled", zh: "限流" },
  I400HD: { status: 400, en: "bad header", zh: "请求头无效" },
  I400MH: { status: 400, en: "header missing", zh: "缺少请求头" },
  I400BD: { status: 400, en: "bad or empty body", zh: "请求体无效或为空" },
  I400PA: { status: 400, en: "bad path", zh: "请求路径无效" },
  I400RU: { status: 400, en: "bad URI: parameters belong in the body", zh: "URI 无效：参数应放在请求体" },
  I400CT: { status: 400, en: "wrong Content-Type", zh: "Content-Type 错误" },
  I404NF: { status: 404, en: "no API at this path", zh: "该路径没有 API" },
  I404DO: { status: 404, en: "unknown domain", zh: "域名无效" },
  I405UM: { status: 405, en: "wrong method", zh: "请求方法错误" },
  I413RL: { status: 413, en: "body too large", zh: "请求体过大" },
  I413UL: { status: 413, en: "URL too long", zh: "URL 过长" },
  D504CO: { status: 504, en: "backend not reached", zh: "连接后端失败" },
  D504TO: { status: 504, maybe: true, en: "backend timed out", zh: "后端超时" },
  X504TO: { status: 504, maybe: true, en: "service timed out", zh: "服务超时" },
  D504CS: { status: 504, maybe: true, en: "TLS to the backend failed", zh: "与后端的 TLS 连接失败" },
  D504RE: { status: 504, maybe: true, en: "backend's name not resolved", zh: "后端域名解析失败" },
  D502FC: { status: 502, maybe: true, en: "backend's answer is invalid", zh: "后端响应无效" },
  N502RE: { status: 502, maybe: true, en: "backend's answer not read", zh: "读取后端响应失败" },
  D503BB: { status: 503, maybe: true, en: "circuit breaker open", zh: "后端熔断" },
  X500ER: { status: 500, maybe: true, en: "internal error", zh: "服务内部错误" },
  X503BZ: { status: 503, maybe: true, en: "service busy", zh: "服务繁忙" },
};

/** What happens to the connection or the body; `unit`, `low`, `high`, `usual` where it has a value. */
export const TRANSPORT = {
  latency_ms: { unit: "ms", low: 0, high: 600000, usual: 300, en: "answers late", zh: "延迟响应" },
  slow_drip: {
    unit: "ms a byte", low: 0, high: 60000, usual: 100,
    en: "body comes byte by byte", zh: "响应体逐字节缓慢到达",
  },
  hang: { unit: "ms", low: 0, high: 3600000, usual: 60000, en: "hangs", zh: "挂起不响应" },
  oversize: {
    unit: "bytes", low: 1, high: 1073741824, usual: 8388608,
    en: "huge body, padded", zh: "超大响应体（填充）",
  },
  reset: { en: "TCP reset, no answer", zh: "TCP 重置，无响应" },
  close: { en: "connection closed, no answer", zh: "连接关闭，无响应" },
  truncated_json: { en: "JSON cut in half", zh: "JSON 中途截断" },
  not_json: { en: "200 with HTML", zh: "200，但内容是 HTML" },
  empty_200: { en: "200 with no body", zh: "200，但响应体为空" },
  http_500: { en: "500 from no gateway", zh: "500，且没有网关响应头" },
  wrong_types: { en: "numbers instead of strings", zh: "字段类型错误：数字代替字符串" },
  wrong_charset: { en: "GB 18030 labelled UTF-8", zh: "GB 18030 编码却标为 UTF-8" },
  unknown_code: { en: "a respCode that is not listed", zh: "未列出的 respCode" },
};

/** Code of a hint in the journal -> what to do. */
export const HINTS = {
  wrong_path: { en: "The path is /idenAuthentication, with no slash after it.", zh: "路径应为 /idenAuthentication，末尾没有斜杠。" },
  wrong_method: { en: "The method is POST.", zh: "请求方法应为 POST。" },
  query_parameters: {
    en: "Name and number belong in the body: a query lands in logs.",
    zh: "姓名和号码应放在请求体中：查询参数会留在日志里。",
  },
  appcode_header: {
    en: "Send `Authorization: APPCODE <appcode>`: capitals, one ASCII space, nothing after it.",
    zh: "应发送 `Authorization: APPCODE <appcode>`：大写，一个半角空格，后面没有多余字符。",
  },
  content_type: {
    en: "Send `Content-Type: application/x-www-form-urlencoded; charset=UTF-8`.",
    zh: "应发送 `Content-Type: application/x-www-form-urlencoded; charset=UTF-8`。",
  },
  json_body: {
    en: "The body is a form, `idNo=…&name=…`, not JSON.",
    zh: "请求体应为表单 `idNo=…&name=…`，而不是 JSON。",
  },
  field_names: { en: "The fields are spelt `idNo` and `name`.", zh: "字段名应为 `idNo` 和 `name`。" },
  fields_swapped: {
    en: "`name` holds the number, or `idNo` the name.",
    zh: "`name` 里是号码，或 `idNo` 里是姓名：两者写反了。",
  },
  not_percent_encoded: {
    en: "Percent-encode the name's UTF-8 bytes, as forms do.",
    zh: "姓名的 UTF-8 字节要按表单规则做百分号编码。",
  },
  not_utf8: { en: "Percent-encode the name in UTF-8, not in GBK.", zh: "姓名应按 UTF-8 编码，而不是 GBK。" },
  encoded_twice: { en: "Percent-encode once.", zh: "只做一次百分号编码。" },
  blanks: { en: "Take the blanks out of name and number.", zh: "去掉姓名和号码中的空白。" },
  lower_case_x: { en: "Send the check character as a capital X.", zh: "校验码应为大写 X。" },
  lost_digits: {
    en: "Keep the number as text: a float has lost its last digits.",
    zh: "号码应按文本处理：浮点数会丢失末尾几位。",
  },
};

const RESP = "resp_code:";
const GATEWAY = "gateway:";

/** Split a kind of fault: `["gateway", "B403MQ"]`, `["resp_code", "0008"]`, `["transport", "reset"]`. */
export function parts(kind) {
  if (kind.startsWith(RESP)) return ["resp_code", kind.slice(RESP.length)];
  if (kind.startsWith(GATEWAY)) return ["gateway", kind.slice(GATEWAY.length)];
  return ["transport", kind];
}

const TABLES = { resp_code: RESP_CODES, gateway: GATEWAY_CODES, transport: TRANSPORT };

/** The row of a kind, or `{}`. */
export function row(kind) {
  const [group, code] = parts(kind);
  return TABLES[group][code] ?? {};
}

/** Whether a kind can hit before or after the charge. */
export function takesWhen(kind) {
  const [group, code] = parts(kind);
  return group === "transport" || (group === "gateway" && Boolean(GATEWAY_CODES[code]?.maybe));
}

/** Every kind, by group. */
export const KINDS = {
  transport: Object.keys(TRANSPORT),
  resp_code: Object.keys(RESP_CODES).map((code) => RESP + code),
  gateway: Object.keys(GATEWAY_CODES).map((code) => GATEWAY + code),
};

/** The kind of fault that gives this answer of an identity: a code, or a kind already. */
export function kindOf(answers) {
  if (Object.hasOwn(RESP_CODES, answers)) return RESP + answers;
  if (Object.hasOwn(GATEWAY_CODES, answers)) return GATEWAY + answers;
  return answers;
}
