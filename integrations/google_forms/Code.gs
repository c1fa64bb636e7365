/**
 * Sends each answer of this Google Form to eryaosu, signed by Standard Webhooks.
 *
 * Script properties: ENDPOINT, SECRET (whsec_…), NAME_QUESTION, ID_NUMBER_QUESTION and, if wanted,
 * REFERENCE_QUESTION: the titles of the questions. Run setUp once, and again after any change.
 *
 * What is not delivered stays in the script properties as the response's id, never as a name or
 * number: each attempt reads the response from the form again. Whatever does not fit in there is
 * found again in the form, from the time on which is kept in FOUND_AGAIN. A name or number is never
 * logged or mailed.
 */

const PENDING = 'pending.';
const STOPPED = 'stopped';
const FOUND_AGAIN = 'found_again_from';

const MOST_PENDING = 200;
const MINUTE = 60 * 1000;
const FIRST_DELAY = 5 * MINUTE;
const LONGEST_DELAY = 12 * 60 * MINUTE;
const MOST_TRIES = 12; // some two and a half days
const LONGEST_RUN = 4 * MINUTE; // Google ends a script after six

/** Check the properties and install both triggers; what is pending is tried again soon. */
function setUp() {
  settings_();
  ScriptApp.getProjectTriggers()
    .filter((trigger) => ['onSubmit', 'retry'].includes(trigger.getHandlerFunction()))
    .forEach((trigger) => ScriptApp.deleteTrigger(trigger));
  ScriptApp.newTrigger('onSubmit').forForm(FormApp.getActiveForm()).onFormSubmit().create();
  ScriptApp.newTrigger('retry').timeBased().everyMinutes(5).create();
  const store = PropertiesService.getScriptProperties();
  store.deleteProperty(STOPPED);
  pending_(store).forEach((entry) => write_(store, { ...entry, tries: 0, due: Date.now() }));
}

/** The trigger of a submission: kept first, so that a run which is cut off loses nothing. */
function onSubmit(event) {
  const store = PropertiesService.getScriptProperties();
  const entry = {
    id: event.response.getId(),
    at: event.response.getTimestamp().getTime(),
    tries: 0,
    due: Date.now() + FIRST_DELAY,
  };
  if (keep_(store, [entry]).length > 0) {
    lookBackTo_(store, entry.at); // so much fails that one more try would fail too
  } else {
    attempt_(store, entry, event.response);
  }
}

/** The trigger of time: whatever is due, for as long as one run may take. */
function retry() {
  const lock = LockService.getUserLock();
  if (!lock.tryLock(0)) return; // the run before is still at it
  try {
    const store = PropertiesService.getScriptProperties();
    const began = Date.now();
    findAgain_(store);
    for (const entry of pending_(store)) {
      if (store.getProperty(STOPPED) || Date.now() - began > LONGEST_RUN) return;
      if (entry.due <= Date.now()) attempt_(store, entry, response_(entry.id));
    }
  } finally {
    lock.releaseLock();
  }
}

function attempt_(store, entry, response) {
  if (store.getProperty(STOPPED)) return; // it stays pending until setUp is run again
  const status = response === null ? 0 : post_(response);
  if (status >= 200 && status < 300) {
    store.deleteProperty(PENDING + entry.id);
  } else if (status === 401) {
    stop_(store);
  } else {
    postpone_(store, { ...entry, tries: entry.tries + 1 }, status);
  }
}

function postpone_(store, entry, status) {
  console.warn(`not delivered: status ${status}, try ${entry.tries}`);
  if (entry.tries >= MOST_TRIES) {
    store.deleteProperty(PENDING + entry.id);
    note_(`The response ${entry.id} of ${new Date(entry.at).toISOString()} was given up after ` +
      `${entry.tries} tries; the last answer was ${status || 'none'}. It was not verified.`);
  } else {
    const delay = Math.min(FIRST_DELAY * 2 ** (entry.tries - 1), LONGEST_DELAY);
    write_(store, { ...entry, due: Date.now() + delay });
  }
}

/** 401: the secret or the source is wrong, and no repetition mends that. */
function stop_(store) {
  store.setProperty(STOPPED, 'The service does not know this source or secret (401).');
  note_('The service answered 401: SECRET or ENDPOINT does not fit the source that is configured ' +
    'there. Nothing more is sent. Correct the script properties and run setUp; whatever came in ' +
    'since is sent then.');
}

/** One post; its status, or 0 where there was no answer. Id and body stay the same over tries. */
function post_(response) {
  const { endpoint, key, questions } = settings_();
  const id = response.getId().replace(/[^A-Za-z0-9_-]/g, '_'); // a full stop would part what is signed
  const body = utf8_(JSON.stringify(submission_(id, response, questions)));
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signed = utf8_(`${id}.${timestamp}.`).concat(body);
  const signature = Utilities.base64Encode(Utilities.computeHmacSha256Signature(signed, key));
  try {
    return UrlFetchApp.fetch(endpoint, {
      method: 'post',
      contentType: 'application/json',
      payload: body, // bytes, so that exactly what is signed is sent
      headers: {
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature}`,
      },
      muteHttpExceptions: true,
      followRedirects: false,
    }).getResponseCode();
  } catch (error) {
    return 0; // not even muteHttpExceptions holds back a name that does not resolve, or a timeout
  }
}

function submission_(id, response, questions) {
  const answers = {};
  response.getItemResponses().forEach((item) => {
    answers[item.getItem().getTitle()] = item.getResponse();
  });
  return {
    submission_id: id,
    name: answers[questions.name],
    id_number: answers[questions.idNumber],
    reference: questions.reference === null ? undefined : answers[questions.reference],
    submitted_at: response.getTimestamp().toISOString(),
  };
}

/** Without a charset, Apps Script would sign the question marks that it makes of Chinese. */
function utf8_(text) {
  return Utilities.newBlob('').setDataFromString(text, 'UTF-8').getBytes();
}

function settings_() {
  const store = PropertiesService.getScriptProperties();
  const read = (name, pattern, rule) => {
    const value = store.getProperty(name);
    if (value === null || !pattern.test(value)) throw new Error(`script property ${name}: ${rule}`);
    return value;
  };
  const secret = read('SECRET', /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, 'must be whsec_ and base64');
  const title = 'must be the title of a question';
  return {
    endpoint: read('ENDPOINT', /^https:\/\/\S+$/, 'must be https://…/hooks/<source>'),
    key: Utilities.base64Decode(secret.slice('whsec_'.length)),
    questions: {
      name: read('NAME_QUESTION', /./, title),
      idNumber: read('ID_NUMBER_QUESTION', /./, title),
      reference: store.getProperty('REFERENCE_QUESTION'),
    },
  };
}

/** Store what there is room for; the form itself is the memory for the rest. */
function keep_(store, entries) {
  const lock = LockService.getScriptLock();
  lock.waitLock(30 * 1000);
  try {
    const room = Math.max(0, MOST_PENDING - pending_(store).length);
    entries.slice(0, room).forEach((entry) => write_(store, entry));
    return entries.slice(room);
  } finally {
    lock.releaseLock();
  }
}

function lookBackTo_(store, moment) {
  const known = Number(store.getProperty(FOUND_AGAIN) || moment);
  store.setProperty(FOUND_AGAIN, String(Math.min(known, moment)));
}

/** Once there is room, take in what came since; the service recognises what it had before. */
function findAgain_(store) {
  const from = store.getProperty(FOUND_AGAIN);
  const known = new Set(pending_(store).map((entry) => entry.id));
  if (from === null || known.size > MOST_PENDING / 2) return;
  const entries = FormApp.getActiveForm()
    .getResponses(new Date(Number(from) - 1000))
    .map((found) => ({
      id: found.getId(),
      at: found.getTimestamp().getTime(),
      tries: 0,
      due: Date.now(),
    }))
    .filter((entry) => !known.has(entry.id))
    .sort((one, other) => one.at - other.at);
  const left = keep_(store, entries);
  if (left.length > 0) store.setProperty(FOUND_AGAIN, String(left[0].at));
  else store.deleteProperty(FOUND_AGAIN);
}

function pending_(store) {
  const all = store.getProperties();
  return Object.keys(all)
    .filter((name) => name.startsWith(PENDING))
    .map((name) => JSON.parse(all[name]))
    .sort((one, other) => one.due - other.due);
}

function write_(store, entry) {
  store.setProperty(PENDING + entry.id, JSON.stringify(entry));
}

/** The response, or null: its owner deleted it, or Google cannot give it just now. */
function response_(id) {
  try {
    return FormApp.getActiveForm().getResponse(id);
  } catch (error) {
    return null;
  }
}

/** A mail to whoever installed the script, and a line in its log. */
function note_(text) {
  console.error(text);
  try {
    const title = FormApp.getActiveForm().getTitle();
    MailApp.sendEmail(Session.getEffectiveUser().getEmail(), `eryaosu: ${title}`, text);
  } catch (error) {
    console.error('The mail about it could not be sent.'); // the day's quota of mails, mostly
  }
}
