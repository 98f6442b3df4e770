// Where the click ID is stored: in cookies and in the browser's storage, so that each repairs the other.

import { attempt } from './guard.js';
import { ATTRO, cookieNames, isSelgeo, OWN, SELGEO } from './names.js';
import { clickId } from './click.js';
import { mayStore } from './consent.js';
import { isInCookie, readCookies, seconds, writeCookie } from './cookie.js';

// The key of the time until which the stored ID is valid, in seconds since 1970.
const UNTIL = 'trac_click_until';
// The key of the landing that `landing.js` records.
export const LANDING = 'trac_landing';

const now = () => Math.floor(Date.now() / 1e3);

const inStores = (act) => ['localStorage', 'sessionStorage'].map((name) => attempt(() => act(window[name])));
export const readStores = (key) => inStores((store) => store.getItem(key));
const readIds = () => {
  const until = readStores(UNTIL).join('');
  return until && until < now() ? [] : [...readStores(OWN), ...readStores(SELGEO)];
};

// The cookies, the stored IDs and the ID in memory, as one text that `cookie.rs` reads.
export const readAll = () => [readCookies(), ...readIds(), clickId].join(';=');

export const storeClick = (id) => {
  if (!mayStore()) return;
  for (const name of cookieNames) if (!isInCookie(name, id)) writeCookie(name, id);
  const [own, , selgeo] = readIds();
  if (own === id && (!isSelgeo || selgeo === id)) return;
  attempt(() => {
    localStorage.setItem(UNTIL, now() + seconds);
    if (isSelgeo) localStorage.setItem(SELGEO, id);
    localStorage.setItem(OWN, id);
  });
};

export const removeAll = () => {
  for (const name of [OWN, 'clk_id', ATTRO]) writeCookie(name, '');
  for (const key of [OWN, SELGEO, UNTIL, LANDING]) inStores((store) => store.removeItem(key));
};
