// What `page.rs` asks of the browser. A read that is refused finds nothing, a write that is refused does nothing.

const script = document.currentScript || document.querySelector('script[src*="/trac.js"],script[src*="/selgeo.js"]');
const settings = script ? script.dataset : {};
const errors = [];
const skipped = new Map();
const debugging = 'debug' in settings;

let clickId = null;
let source = null;

// The page never sees an exception of ours.
const guarded = (act) => function () {
  try {
    return act.apply(this, arguments);
  } catch (error) {
    if (errors.length < 20) errors.push(String(error));
  }
};

const log = debugging ? guarded((...words) => console.debug('trac:', ...words)) : () => {};

const attempt = (act) => {
  try {
    return act() || '';
  } catch {
    return '';
  }
};

const readSetting = (name) =>
  settings[name] || (name === 'dialect' && script && /selgeo\.js/.test(script.src) ? 'selgeo' : '');
const readUrl = () => location.href;
const readHost = () => location.hostname;
const readClock = () => Date.now() / 1000;
const readCookies = () => attempt(() => document.cookie);
const writeCookie = (cookie) => attempt(() => (document.cookie = cookie));
const readStored = (key) => attempt(() => localStorage.getItem(key)) || attempt(() => sessionStorage.getItem(key));
const writeStored = (key, value) =>
  attempt(() => (value ? localStorage.setItem(key, value) : [localStorage, sessionStorage].forEach((s) => s.removeItem(key))));
const claimGlobal = (name) => (window[name] = trac);
const tellClick = (id, from) => {
  clickId = id || null;
  source = from || null;
  log('click', clickId, source);
  if (started) {
    scan(document);
    tell('click');
  }
};
