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

const log = (...words) => 'debug' in settings && console.debug('trac:', ...words);

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
// No browser keeps a cookie longer than 400 days.
const days = settings.cookieDays;
const seconds = (days > 0 && days <= 400 ? days : 90) * 86400;
if (days > 400) log('cookieDays', days);

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
  (key) => {
    attempt(() => localStorage.removeItem(key));
    sessionStorage.removeItem(key);
  },
  (name) => {
    if (!started) window[name] = trac;
  },
];

// The tape has room for 262,144 bytes of text, and a character takes three at most.
const write = (at, text) => (text.length < 87e3 ? encoder.encodeInto(text, bytes.subarray(at)).written : 0);
const read = (at, length) => decoder.decode(bytes.subarray(at, at + length));
const hand = (what, at, length) => write(at, attempt(() => hands[what](read(at, length))));

// The questions of `lib.rs`.
const LOOK = 0;
const LINK = 1;
const CLEAR = 2;

// The fields of `settings.rs`, in its order.
const ask = (question, url) => {
  if (!wasm || busy) return '';
  busy = true;
  try {
    const now = Math.floor(Date.now() / 1e3);
    const request = [
      clickId,
      settings.stripeDomains,
      settings.outboundDomains,
      settings.attributionModel,
      settings.dialect,
      settings.consent,
      seconds,
      now,
      now + seconds,
      settings.cookieDomain,
      location.hostname,
      location.protocol.slice(5),
      url,
    ].join('\0');
    return read(0, answer(question, write(0, request)));
  } finally {
    busy = false;
  }
};

const tell = (name) => dispatchEvent(new CustomEvent('trac:' + name, { detail: { clickId, source } }));

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
  const [from, id] = ask(LOOK, url).split('=');
  if (id && id !== clickId) follow(id, from);
  return from === 'url';
};

const arrive = guarded(() => find(location.href) || land());
