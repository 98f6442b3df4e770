// Landings by a partner's code (`?ref=`, `?via=`): recorded by the tracking API, which returns a click ID.

import { settings } from './settings.js';
import { attempt, recordError } from './guard.js';
import { dispatch } from './click.js';
import { mayStore } from './consent.js';
import { LANDING, readStores } from './storage.js';
import { findClick } from './follow.js';
import { key, post } from './post.js';

// Until the API has responded, the body of the request: if the visitor left too early, the next page sends it.
// Then `=` and the code, so that the landing is not sent again.
let landing = readStores(LANDING)[1];
const storeLanding = (text) => {
  landing = text;
  if (mayStore()) attempt(() => sessionStorage.setItem(LANDING, text));
};
// Stores what could not be stored before the visitor's consent.
export const restoreLanding = () => {
  if (landing) storeLanding(landing);
};

let recordedCode = null;

export const recordLanding = (url) => {
  if (!key) return;
  const query = new URL(url).searchParams;
  const name = (settings.queryParams || 'ref,via').split(/[\s,]+/).find((parameter) => query.get(parameter));
  const code = name && query.get(name);
  if (name && (code === recordedCode || landing === '=' + code)) return;
  // Once on each page: the landing of the previous page, if it got no response.
  const unsent = recordedCode === null && landing[0] === '{' && landing;
  recordedCode = code || recordedCode || '';
  if (!name && !unsent) return;
  const body = name
    ? { [settings.queryParams ? 'code' : name]: code, url, referrer: document.referrer }
    : JSON.parse(unsent);
  storeLanding(JSON.stringify(body));
  post('/v1/clicks', body).then(
    (click) => {
      storeLanding('=' + (code || ''));
      findClick('?trac_click_id=' + click.click_id);
    },
    (error) => {
      // A landing that the API did not reject is sent again by the next page.
      if (!/(offline|5..|429)$/.test(error)) storeLanding('');
      recordError(error);
      dispatch('error');
    },
  );
};
