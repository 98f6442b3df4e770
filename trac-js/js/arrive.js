// A visitor's arrival at a URL: at the first page, and wherever a router goes from there.

import { guarded } from './guard.js';
import { findClick } from './follow.js';
import { recordLanding } from './landing.js';

export const arriveAt = (url) => findClick(url) || recordLanding(url);

// A URL that was read before is not an arrival: it does not undo a click that came from another tab since, or
// `clear()`.
let seen;
export const arrive = guarded(() => {
  const url = location.href.replace(/#.*/s, '');
  url === seen ? findClick('') : arriveAt((seen = url));
});
