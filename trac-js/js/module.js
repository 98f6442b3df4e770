// The entry of the npm package: the same script, started by `init`.

import { boot } from '../generated/boot.js';

const flat = (options) =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value != null && value !== false)
      .map(([name, value]) => [name, String(value)]),
  );

const isBrowser = typeof document !== 'undefined';
const callbacks = [];

// Calls a method of `window.trac`, if a script has installed it.
const call = (name, args, fallback) =>
  isBrowser && window.trac && window.trac[name] ? window.trac[name](...args) : fallback;

export const init = (options = {}) => {
  if (!isBrowser) return;
  boot(flat(options));
  while (callbacks.length) call('ready', [callbacks.shift()]);
};
export const getClickId = () => call('getClickId', [], null);
export const ready = (callback) => {
  if (isBrowser && !(window.trac && window.trac.ready)) callbacks.push(callback);
  else call('ready', [callback]);
};
export const trackLead = (lead) => call('trackLead', [lead]) || Promise.reject(new Error('trac: call init() first'));
export const link = (url) => call('link', [url], url);
export const consent = (granted) => call('consent', [granted]);
export const refresh = () => call('refresh', []);
export const clear = () => call('clear', []);
export const debug = () => call('debug', [], null);
