// Finds the click in a URL, the cookies or storage, and attributes the page to it.

import { log } from './guard.js';
import { clickId, dispatch, setClick, started } from './click.js';
import { ask } from './ask.js';
import { scan } from './watch.js';
import { readAll, storeClick } from './storage.js';

export const follow = (id, source) => {
  setClick(id, source);
  log('click', id, source);
  if (started) {
    scan(document);
    dispatch('click');
  }
};

// Returns whether the URL itself named the click.
export const findClick = (url) => {
  const [source, id] = ask(false, url, readAll()).split('=');
  if (id) storeClick(id);
  if (id && id !== clickId) follow(id, source);
  return source === 'url';
};
