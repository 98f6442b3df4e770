// Landings by a partner's code (`?ref=`, `?via=`): recorded by the tracking API, which returns a click ID.

import { settings } from './settings.js';
import { attempt, note } from './guard.js';
import { dispatch } from './click.js';
import { mayStore } from './consent.js';
import { LANDING, readStores } from './storage.js';
import { findClick } from './follow.js';
import { key, post } from './post.js';

// The body of the request until the API has responded, so that a landing that the visitor left too early is sent by the
// next page; then `=` and the code, so that it is sent once.
let landing = readStores(LANDING)[1];
const storeLanding = (text) => {
  landing = text;
  if (mayStore()) attempt(() => sessionStorage.setItem(LANDING, text));
};
// Stores what could not be stored before the visitor's consent.
export const restoreLanding = () => {
  if (landing) storeLanding(landing);
};

let asked = null;

export const recordLanding = (url) => {
  if (!key) return;
  const query = new URL(url).searchParams;
  const name = (settings.queryParams || 'ref,via').split(/[\s,]+/).find((one) => query.get(one));
  const code = name && query.get(name);
  if (name && (code === asked || landing === '=' + code)) return;
  // Once for each page, the landing of the previous page that got no response.
  const left = asked === null && landing[0] === '{' && landing;
  asked = code || asked || '';
  if (!name && !left) return;
  const body = name
    ? { [settings.queryParams ? 'code' : name]: code, url, referrer: document.referrer }
    : JSON.parse(left);
  storeLanding(JSON.stringify(body));
  post('/v1/clicks', body).then(
    (click) => {
      storeLanding('=' + (code || ''));
      findClick('?trac_click_id=' + click.click_id);
    },
    (error) => {
      // A landing that the API did not reject is sent again by the next page.
      if (!/(offline|5..|429)$/.test(error)) storeLanding('');
      note(error);
      dispatch('error');
    },
  );
};
