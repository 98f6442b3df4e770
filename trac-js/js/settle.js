// Writes one attribute of one element, and counts what `trac.debug()` returns.

import { log } from './guard.js';
import { isNew } from './judge.js';

// A page that restores its own value each time keeps it after this many rewrites; a click of the visitor still counts.
const REWRITES = 50;

export const skipped = new Map();
export let found = 0;
export let rewritten = 0;

const known = new WeakMap();

// Asks `judge` about an attribute, and writes the verdict. A value that the script has written is judged by its
// original, so that it changes when the click changes.
export const settle = (element, name, judge, byVisitor, write) => {
  let places = known.get(element);
  if (!places) known.set(element, (places = {}));
  const now = element.getAttribute(name) || '';
  const place = places[name] || (places[name] = { times: 0 });
  const before = now && now === place.written ? place.original : now;
  const verdict = judge(before);
  if (verdict && !place.counted) {
    place.counted = true;
    found++;
  }
  skipped.delete(place);
  if (verdict[0] === '!') {
    skipped.set(place, { reason: verdict.slice(1), value: now });
    log('skipped', verdict, element);
  }
  // Without a new value the merchant's own is restored.
  const value = isNew(verdict) ? verdict : before;
  if (value === now || (place.times >= REWRITES && !byVisitor)) return;
  if (!place.times++) rewritten++;
  place.original = before;
  place.written = value;
  write ? write(value, place) : element.setAttribute(name, value);
  log('rewritten', value, element);
};
