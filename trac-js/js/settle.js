// Writes one attribute of one element, and counts what `trac.debug()` returns.

import { log } from './guard.js';
import { isNew } from './judge.js';

// How often an attribute is rewritten if the page restores its own value each time. When the visitor acts, there
// is no limit.
const REWRITES = 50;

export const skipped = new Map();
export let found = 0;
export let rewritten = 0;

const placesOf = new WeakMap();

// Asks `judge` about an attribute, and writes the verdict. A value that the script has written is judged by its
// original, so that it changes when the click changes.
export const settle = (element, name, judge, byVisitor, write) => {
  let places = placesOf.get(element);
  if (!places) placesOf.set(element, (places = {}));
  const current = element.getAttribute(name) || '';
  const place = places[name] || (places[name] = { times: 0 });
  const original = current && current === place.written ? place.original : current;
  const verdict = judge(original);
  if (verdict && !place.counted) {
    place.counted = true;
    found++;
  }
  skipped.delete(place);
  if (verdict[0] === '!') {
    skipped.set(place, { reason: verdict.slice(1), value: current });
    log('skipped', verdict, element);
  }
  // Without a new value the merchant's own is restored.
  const value = isNew(verdict) ? verdict : original;
  if (value === current || (place.times >= REWRITES && !byVisitor)) return;
  if (!place.times++) rewritten++;
  place.original = original;
  place.written = value;
  write ? write(value, place) : element.setAttribute(name, value);
  log('rewritten', value, element);
};
