// A visitor's arrival at a URL: the URL of the first page, and each URL that a router navigates to.

import { guarded } from './guard.js';
import { findClick } from './follow.js';
import { recordLanding } from './landing.js';

export const arriveAt = (url) => findClick(url) || recordLanding(url);

// The same URL again is not an arrival: it must not undo `clear()`, or a newer click from another tab.
let lastUrl;
export const arrive = guarded(() => {
  const url = location.href.replace(/#.*/s, '');
  url === lastUrl ? findClick('') : arriveAt((lastUrl = url));
});
