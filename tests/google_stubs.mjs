// Google's services as far as integrations/google_forms/Code.gs uses them, on node's own crypto.
//
// node google_stubs.mjs Code.gs < scenario: {"now", "form", "properties", "steps": [...]}; a step is
// {"call": "setUp" | "onSubmit" | "retry", "response"?: id, "now"?: ms, "statuses"?: [...],
// "properties"?: {...}, "add"?: [responses], "remove"?: [ids]}. A status of 0 is no answer; once
// all are used, 202. Printed is everything that a test may look at.

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createContext, runInContext } from 'node:vm';

const scenario = JSON.parse(readFileSync(0, 'utf8'));
let now = scenario.now;
let statuses = [];
const seen = { requests: [], mails: [], logs: [], errors: [], most_stored: 0 };

// Apps Script's bytes are signed.
const signed = (buffer) => [...Int8Array.from(buffer)];
const buffer = (bytes) => Buffer.from(Int8Array.from(bytes));

function bytesOf(value, charset) {
  if (Array.isArray(value)) return buffer(value);
  // Without a charset it is US-ASCII: what has no place there becomes a question mark.
  return Buffer.from(charset === 'UTF_8' ? value : value.replace(/[^\x00-\x7f]/gu, '?'));
}

const Utilities = {
  Charset: { UTF_8: 'UTF_8', US_ASCII: 'US_ASCII' },
  base64Encode: (value, charset) => bytesOf(value, charset).toString('base64'),
  base64Decode: (text) => signed(Buffer.from(text, 'base64')),
  computeHmacSha256Signature(value, key, charset) {
    if (Array.isArray(value) !== Array.isArray(key)) throw new TypeError('no such overload');
    return signed(
      createHmac('sha256', bytesOf(key, charset)).update(bytesOf(value, charset)).digest(),
    );
  },
  newBlob(content) {
    const blob = {
      bytes: bytesOf(content, 'UTF_8'),
      getBytes: () => signed(blob.bytes),
      setDataFromString(text, charset) {
        blob.bytes = bytesOf(text, charset === 'UTF-8' ? 'UTF_8' : 'US_ASCII');
        return blob;
      },
    };
    return blob;
  },
};

const UrlFetchApp = {
  fetch(url, options) {
    const status = statuses.length > 0 ? statuses.shift() : 202;
    seen.requests.push({
      url,
      method: options.method,
      headers: { ...options.headers, 'content-type': options.contentType },
      body: bytesOf(options.payload).toString('base64'),
      follows: options.followRedirects !== false,
      status,
    });
    if (status === 0) throw new Error(`DNS error: ${url}`);
    if (status >= 400 && !options.muteHttpExceptions) throw new Error(`returned code ${status}`);
    return { getResponseCode: () => status };
  },
};

const properties = new Map(Object.entries(scenario.properties));
const size = (text) => Buffer.byteLength(text);
const store = {
  getProperty: (name) => properties.get(name) ?? null,
  getProperties: () => Object.fromEntries(properties),
  setProperty(name, value) {
    if (typeof value !== 'string') throw new TypeError('properties are texts here');
    if (size(value) > 8_000) throw new Error('argument too large: value'); // 9 KB at Google's
    properties.set(name, value);
    const whole = [...properties].reduce((sum, pair) => sum + size(pair.join('')), 0);
    if (whole > 500_000) throw new Error('You have exceeded the property storage quota.');
    seen.most_stored = Math.max(seen.most_stored, pending().length);
  },
  deleteProperty: (name) => properties.delete(name),
};
const pending = () => [...properties.keys()].filter((name) => name.startsWith('pending.'));

const responses = new Map();
function add(one) {
  responses.set(one.id, {
    getId: () => one.id,
    getTimestamp: () => new Date(one.at),
    getItemResponses: () =>
      Object.entries(one.answers).map(([title, answer]) => ({
        getItem: () => ({ getTitle: () => title }),
        getResponse: () => answer,
      })),
  });
}
scenario.form.responses.forEach(add);
const form = {
  getTitle: () => scenario.form.title,
  getResponse(id) {
    if (!responses.has(id)) throw new Error('No response with that id.');
    return responses.get(id);
  },
  getResponses: (after) => [...responses.values()].filter((one) => one.getTimestamp() > after),
};

let triggers = [];
function trigger(handler) {
  const made = { handler, getHandlerFunction: () => handler };
  const builder = {
    timeBased: () => builder,
    everyMinutes(minutes) {
      if (![1, 5, 10, 15, 30].includes(minutes)) throw new Error('invalid minutes');
      made.kind = `every ${minutes} minutes`;
      return builder;
    },
    forForm: () => builder,
    onFormSubmit() {
      made.kind = 'form submit';
      return builder;
    },
    create: () => triggers.push(made),
  };
  return builder;
}
const ScriptApp = {
  newTrigger: trigger,
  getProjectTriggers: () => [...triggers],
  deleteTrigger(one) {
    triggers = triggers.filter((other) => other !== one);
  },
};

const held = new Set();
const lock = (name) => ({
  tryLock: () => !held.has(name) && Boolean(held.add(name)),
  waitLock() {
    if (!this.tryLock()) throw new Error('Lock timeout');
  },
  releaseLock: () => held.delete(name),
});
const LockService = { getScriptLock: () => lock('script'), getUserLock: () => lock('user') };

const log = (...texts) => seen.logs.push(texts.join(' '));
const context = createContext({
  Utilities,
  UrlFetchApp,
  PropertiesService: { getScriptProperties: () => store },
  FormApp: { getActiveForm: () => form },
  ScriptApp,
  LockService,
  MailApp: {
    sendEmail: (to, subject, body) => seen.mails.push({ to, subject, body }),
  },
  Session: { getEffectiveUser: () => ({ getEmail: () => 'owner@forms.example' }) },
  console: { log, warn: log, error: log },
  theTime: () => now,
});
runInContext('Date.now = theTime', context);
runInContext(readFileSync(process.argv[2], 'utf8'), context, { filename: process.argv[2] });

for (const step of scenario.steps) {
  now = step.now ?? now;
  statuses = [...(step.statuses ?? [])];
  (step.add ?? []).forEach(add);
  (step.remove ?? []).forEach((id) => responses.delete(id));
  Object.entries(step.properties ?? {}).forEach(([name, value]) => properties.set(name, value));
  try {
    context[step.call]({ response: responses.get(step.response) });
  } catch (error) {
    seen.errors.push(String(error.message ?? error));
  }
}
if (held.size > 0) seen.errors.push('a lock is still held');
const kinds = triggers.map((one) => [one.handler, one.kind]);
console.log(
  JSON.stringify({ ...seen, triggers: kinds, properties: Object.fromEntries(properties) }),
);
