// `window.trac`: a function that also has each of its methods by name, so that what was called before the script
// was there (`trac('ready', f)`) is called the same way after.

const waiting = [];
let started = false;

const tell = (name) =>
  dispatchEvent(new CustomEvent('trac:' + name, { detail: { clickId, source } }));

const methods = {
  getClickId: () => clickId,
  ready: (callback) => {
    if (started) Promise.resolve(clickId).then(callback);
    else waiting.push(callback);
  },
  link: linked,
  refresh: guarded(() => {
    look();
    scan(document);
  }),
  consent: guarded((granted) => consent(!!granted)),
  clear: guarded(() => clear()),
  debug: () => ({
    clickId,
    source,
    stored: [
      readCookies().includes('=' + clickId) && 'cookie',
      attempt(() => localStorage.getItem('trac_click_id')) === clickId && 'localStorage',
    ].filter((place) => clickId && place),
    found,
    rewritten,
    skipped: [...skipped.values()],
    errors: [...errors],
    version: VERSION,
  }),
};

const trac = (name, ...rest) => (methods[name] ? methods[name](...rest) : undefined);
Object.assign(trac, methods);
