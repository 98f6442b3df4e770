// Decides how a URL on the page is changed. Rust responds with a new URL, with `=` where the URL is right
// already, with `!` and a reason if a Payment Link is skipped, or with an empty text for any other URL.

import { guarded } from './guard.js';
import { clickId } from './click.js';
import { ask } from './ask.js';

export const isNew = (verdict) => verdict && verdict !== '=' && verdict[0] !== '!';

// A browser removes blanks around a URL, and tabs and line breaks within it. A link without a scheme uses the
// page's scheme.
export const judgeLink = (text) => {
  const url = text.replace(/^[\0- ]+|[\t\n\r]|[\0- ]+$/g, '');
  const scheme = url.startsWith('//') ? location.protocol : '';
  const verdict = ask(true, scheme + url);
  return isNew(verdict) ? verdict.slice(scheme.length) : verdict;
};

// A reference is judged on the URL that it becomes part of.
export const judgeReference = (action, reference) => {
  const verdict = judgeLink(
    action.replace(/[?#].*/s, '') + '?client_reference_id=' + encodeURIComponent(reference),
  );
  return isNew(verdict) ? clickId : verdict;
};

// The URL that a script of the page is about to open, decorated if it is a Payment Link.
export const linked = (url) => {
  const verdict = guarded(judgeLink)(String(url));
  return isNew(verdict) ? verdict : url;
};
