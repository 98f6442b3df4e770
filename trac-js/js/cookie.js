// The cookies: read, written and removed.

import { settings } from './settings.js';
import { attempt, log } from './guard.js';

// No browser stores a cookie for more than 400 days.
const days = settings.cookieDays;
export const seconds = (days > 0 && days <= 400 ? days : 90) * 86400;
if (days > 400) log('cookieDays', days);

export const readCookies = () => attempt(() => document.cookie);
// Whether the first cookie of the name, which hides the others, holds the ID.
export const isInCookie = (name, id) => (`; ${readCookies()};`.split(`; ${name}=`)[1] || '').startsWith(id + ';');

// Writes a cookie for the merchant's domain and for every domain of the host, the widest first, until one is readable:
// browsers reject public suffixes silently, so the result of each write is read back. An empty ID removes the cookie
// from all domains, because it never reads back.
export const writeCookie = (name, id) => {
  const write = (value, domain) =>
    attempt(() => {
      document.cookie =
        `${name}=${value}; Path=/; Max-Age=${value ? seconds : 0}; SameSite=Lax` +
        (domain ? '; Domain=' + domain : '') +
        (location.protocol === 'https:' ? '; Secure' : '');
    });
  // An older cookie of this host alone would hide the new one.
  write('');
  // An IP address, which ends in a digit, has no domains.
  const labels = location.hostname.replace(/.*\d$/, '').split('.');
  const domains = labels.map((_, at) => (at ? labels.slice(~at).join('.') : settings.cookieDomain));
  for (const domain of [...domains, '']) {
    if (domain !== undefined) write(id, domain);
    if (id && isInCookie(name, id)) return;
  }
};
