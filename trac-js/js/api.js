// The methods of `window.trac`.

import { errors, guarded } from './guard.js';
import { existing, isFirst, trac } from './window.js';
import { cookieNames, isSelgeo, OWN } from './names.js';
import { clickId, source, started } from './click.js';
import { VERSION } from '../generated/rust.js';
import { linked } from './judge.js';
import { found, rewritten, skipped } from './settle.js';
import { scan } from './watch.js';
import { setConsent } from './consent.js';
import { isInCookie } from './cookie.js';
import { readStores, removeAll } from './storage.js';
import { follow } from './follow.js';
import { trackLead } from './lead.js';
import { restoreLanding } from './landing.js';
import { arrive } from './arrive.js';

// A method that is queued until the script has started.
const whenStarted = (name, act) =>
  function () {
    return started ? guarded(act).apply(this, arguments) : void trac.q.push([name, ...arguments]);
  };

const methods = {
  getClickId: () => clickId,
  ready: whenStarted('ready', (callback) => {
    Promise.resolve(clickId).then(callback);
  }),
  trackLead,
  link: linked,
  refresh: whenStarted('refresh', () => {
    arrive();
    scan(document);
  }),
  consent: whenStarted('consent', (granted) => {
    setConsent(granted);
    if (granted) {
      restoreLanding();
      arrive();
    } else {
      removeAll();
    }
  }),
  clear: whenStarted('clear', () => {
    removeAll();
    follow(null, null);
  }),
  debug: () => ({
    clickId,
    source,
    stored: [
      cookieNames.every((name) => isInCookie(name, clickId)) && 'cookie',
      readStores(OWN)[0] === clickId && 'localStorage',
    ].filter(Boolean),
    found,
    rewritten,
    skipped: [...skipped.values()],
    errors: [...errors],
    version: VERSION,
  }),
};

if (isFirst) {
  trac.q = (existing && existing.q) || [];
  Object.assign(trac, methods);
  window.trac = trac;
  if (isSelgeo) window.__selgeo = trac;
}
