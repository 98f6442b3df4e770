// The page never receives an exception from the script: errors are caught, recorded and logged here.

import { settings } from './settings.js';

export const errors = [];

export const log = (...args) => 'debug' in settings && console.debug('trac:', ...args);

export const recordError = (error) => {
  if (errors.length < 20) errors.push(String(error));
  log(error);
};

// The function `act`, with its exceptions recorded.
export const guarded = (act) =>
  function () {
    try {
      return act.apply(this, arguments);
    } catch (error) {
      recordError(error);
    }
  };

// The result of `act`. A read that the browser rejects returns an empty text, a write that it rejects does nothing.
export const attempt = (act) => {
  try {
    return act() || '';
  } catch {
    return '';
  }
};
