// The settings of a page: the attributes of the script's tag. In the npm package, `settings.call.js` replaces this
// file.

export const script =
  document.currentScript || document.querySelector('script[src*="/trac."],script[src*="/selgeo."]');
export const settings = { ...(script && script.dataset) };
if (script && /selgeo\.js/.test(script.src)) settings.dialect = settings.dialect || 'selgeo';

// The URL that API paths are resolved against.
export const base = settings.apiUrl || (script ? script.src : location.href);
