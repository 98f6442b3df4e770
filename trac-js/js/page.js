// What every part stands on, and how Rust is asked. A read that is refused finds nothing, a write that is refused does
// nothing.

const errors = [];
const skipped = new Map();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

let started = false;
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

// One list may stand on all sites of a merchant's: this one is no other site.
const outbound = (settings.outboundDomains || '').split(',').filter((site) => site.trim().toLowerCase() !== location.hostname);

// The fields of `request.rs`, in its order. The tape has room for 1,048,576 bytes; a character takes three at most, and what
// comes back is hardly longer than what was sent.
const ask = (isAboutLink, url, kept) => {
  const request = [clickId, parameter, settings.stripeDomains, outbound, settings.attributionModel, kept, url].join('\0');
  if (!wasm || request.length > 16e4) return '';
  const { written } = encoder.encodeInto(request, bytes);
  return decoder.decode(bytes.subarray(written, answer(isAboutLink, written)));
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
  const [from, id] = ask(false, url, kept()).split('=');
  if (id) keep(id);
  if (id && id !== clickId) follow(id, from);
  return from === 'url';
};

const look = (url) => find(url) || land(url);

// A URL that was looked at is no arrival: a click that came since, from another tab, or was cleared, is not undone by it.
let seen;
const arrive = guarded(() => {
  const url = location.href.replace(/#.*/s, '');
  url === seen ? find('') : look((seen = url));
});
