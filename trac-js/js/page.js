// How Rust is asked, and what it asks of the browser in turn (`page.rs`). A read that is refused finds nothing, a
// write that is refused does nothing.

const errors = [];
const skipped = new Map();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

let started = false;
let busy = false;
let clickId = null;
let source = null;
let bytes;

const debugging = 'debug' in settings;
const log = (...words) => debugging && console.debug('trac:', ...words);

const note = (error) => {
  if (errors.length < 20) errors.push(String(error));
  log(error);
};

// The page never sees an exception of ours.
const guarded = (act) =>
  function () {
    try {
      return act.apply(this, arguments);
    } catch (error) {
      note(error);
    }
  };

const attempt = (act) => {
  try {
    return act() || '';
  } catch {
    return '';
  }
};

// A visitor who asks not to be tracked is asked first, where the merchant wants it so.
if ('gpc' in settings && navigator.globalPrivacyControl) settings.consent = 'required';
if (settings.cookieDays > 400) log('data-cookie-days: no browser keeps a cookie longer than 400 days');

const readCookies = () => attempt(() => document.cookie);
const readStored = (key) => attempt(() => localStorage.getItem(key)) || attempt(() => sessionStorage.getItem(key));

// In the order of `Hand` in `page.rs`.
const hands = [
  readCookies,
  (cookie) => {
    document.cookie = cookie;
  },
  readStored,
  (pair) => {
    const at = pair.indexOf('=');
    localStorage.setItem(pair.slice(0, at), pair.slice(at + 1));
  },
  (key) => ['localStorage', 'sessionStorage'].forEach((name) => attempt(() => window[name].removeItem(key))),
  (name) => {
    if (!started) window[name] = trac;
  },
];

// The tape has room for 262,144 bytes of text, and a character takes three at most.
const write = (at, text) => (text.length < 87e3 ? encoder.encodeInto(text, bytes.subarray(at)).written : 0);
const read = (at, length) => decoder.decode(bytes.subarray(at, at + length));
const hand = (what, at, length) => write(at, attempt(() => hands[what](read(at, length))));

// The fields of `settings.rs`, in its order.
const ask = (question, url, found) => {
  if (!wasm || busy) return '';
  busy = true;
  try {
    const request = [
      clickId,
      settings.stripeDomains,
      settings.outboundDomains,
      settings.attributionModel,
      settings.dialect,
      settings.consent,
      settings.cookieDays,
      settings.cookieDomain,
      location.hostname,
      location.protocol,
      Math.floor(Date.now() / 1000),
      found,
      url,
    ].join('\0');
    return read(0, question(write(0, request)));
  } finally {
    busy = false;
  }
};

const tell = (name, detail = { clickId, source }) => dispatchEvent(new CustomEvent('trac:' + name, { detail }));

const follow = (id, from) => {
  clickId = id;
  source = from;
  log('click', id, from);
  if (started) {
    scan(document);
    tell('click');
  }
};

// Whether the URL named a click.
const find = (url) => {
  const answer = ask(look, url);
  const id = answer.slice(1);
  if (id && id !== clickId) follow(id, { u: 'url', c: 'cookie', s: 'storage' }[answer[0]]);
  return answer[0] === 'u';
};

const arrive = guarded(() => find(location.href) || land());
