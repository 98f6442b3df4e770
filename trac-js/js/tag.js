// The script tag: a merchant's only configuration.

const script = document.currentScript || document.querySelector('script[src*="/trac."],script[src*="/selgeo."]');
const settings = { ...(script && script.dataset) };
if (script && /selgeo\.js/.test(script.src)) settings.dialect = settings.dialect || 'selgeo';
const base = settings.apiUrl || (script ? script.src : location.href);
