// Finds the click in a URL and in what is stored, and attributes the page to it.

import { log } from './guard.js';
import { clickId, dispatch, setClick, started } from './click.js';
import { ask } from './ask.js';
import { scan } from './watch.js';
import { readAll, storeClick } from './storage.js';

export const follow = (id, from) => {
  setClick(id, from);
  log('click', id, from);
  if (started) {
    scan(document);
    dispatch('click');
  }
};

// Returns whether the URL itself named the click.
export const findClick = (url) => {
  const [from, id] = ask(false, url, readAll()).split('=');
  if (id) storeClick(id);
  if (id && id !== clickId) follow(id, from);
  return from === 'url';
};
