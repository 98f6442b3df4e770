// Loads another file of the script's server.

import { script, settings } from './settings.js';

// A page that requires trusted types gets the URL from a policy; `nonce` is the one of the script's own tag.
export const load = (url) => {
  const element = document.createElement('script');
  Object.assign(element.dataset, settings);
  if (script) element.nonce = script.nonce;
  element.src = window.trustedTypes
    ? trustedTypes.createPolicy('trac', { createScriptURL: () => url }).createScriptURL(url)
    : url;
  document.head.append(element);
};
