// The settings of a page that uses the package: the argument of `boot`, the function that `bundle.js` puts around
// the script.

/* global options */
export const script = null;
export const settings = options;
export const base = settings.apiUrl || location.href;
