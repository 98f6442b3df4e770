// Starts the script, once the WebAssembly is instantiated.

import { base } from './settings.js';
import { attempt, guarded, log } from './guard.js';
import { trac } from './window.js';
import { clickId, dispatch, setStarted, source } from './click.js';
import { connect } from './ask.js';
import { scan, watch } from './watch.js';
import { arrive, arriveAt } from './arrive.js';
import './api.js';
import { extendAll, listen } from './extend.js';
import { load } from './load.js';

const begin = guarded((exports) => {
  connect(exports);
  // A router that ran before the script may have removed the query; the navigation entry still has it.
  attempt(() => {
    const { name } = performance.getEntriesByType('navigation')[0];
    if (name !== location.href) arriveAt(name);
  });
  arrive();
  setStarted();
  const queuedCalls = trac.q || [];
  delete trac.q;
  extendAll();
  guarded(listen)();
  watch(document);
  scan(document);
  for (const call of queuedCalls) guarded(trac)(...call);
  log('started', clickId, source);
  dispatch('ready');
  if (clickId) dispatch('click');
  // A merchant checks this page: `verify.js` shows and reports what the script does here.
  if (/[?&]trac_verify=/.test(location.search)) load(new URL('trac-verify.js', base).href);
});

// A page that is prerendered has no visitor yet.
export const start = (exports) => {
  if (document.prerendering) document.addEventListener('prerenderingchange', () => begin(exports), { once: true });
  else begin(exports);
};
