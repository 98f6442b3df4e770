// The entry of the package: the same script, started by a call.

import { boot } from '../generated/boot.js';

const flat = (options) =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value != null && value !== false)
      .map(([name, value]) => [name, String(value)]),
  );

const isBrowser = typeof document !== 'undefined';
const waiting = [];

// Calls a method of `window.trac`, if a script has installed it.
const call = (name, words, otherwise) =>
  isBrowser && window.trac && window.trac[name] ? window.trac[name](...words) : otherwise;

export const init = (options = {}) => {
  if (!isBrowser) return;
  boot(flat(options));
  while (waiting.length) call('ready', [waiting.shift()]);
};
export const getClickId = () => call('getClickId', [], null);
export const ready = (callback) => {
  if (isBrowser && !(window.trac && window.trac.ready)) waiting.push(callback);
  else call('ready', [callback]);
};
export const trackLead = (lead) => call('trackLead', [lead]) || Promise.reject(new Error('trac: call init() first'));
export const link = (url) => call('link', [url], url);
export const consent = (granted) => call('consent', [granted]);
export const refresh = () => call('refresh', []);
export const clear = () => call('clear', []);
export const debug = () => call('debug', [], null);
