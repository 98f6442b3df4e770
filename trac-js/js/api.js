// `window.trac`: a function that also has each of its methods by name, so that what was called before the script
// was there (`trac('ready', f)`) is called the same way after.

// What waits for the script to have started.
const later = (name, act) =>
  function () {
    return started ? guarded(act).apply(this, arguments) : void trac.q.push([name, ...arguments]);
  };

const methods = {
  getClickId: () => clickId,
  ready: later('ready', (callback) => {
    Promise.resolve(clickId).then(callback);
  }),
  trackLead: (lead) =>
    started
      ? post(LEAD, { clickId: clickId || undefined, ...lead })
      : new Promise((resolve) => trac.q.push(['ready', () => resolve(trac.trackLead(lead))])),
  link: (url) => linked(url),
  refresh: later('refresh', () => {
    arrive();
    scan(document);
  }),
  consent: later('consent', (granted) => {
    settings.consent = granted ? '' : 'required';
    if (granted) {
      if (landing) keepLanding(landing);
      arrive();
    } else {
      forget();
    }
  }),
  clear: later('clear', () => {
    forget();
    follow(null, null);
  }),
  debug: () => ({
    clickId,
    source,
    stored: [cookieNames.every((name) => isIn(name, clickId)) && 'cookie', read(OWN)[0] === clickId && 'localStorage'].filter(Boolean),
    found,
    rewritten,
    skipped: [...skipped.values()],
    errors: [...errors],
    version: VERSION,
  }),
};
