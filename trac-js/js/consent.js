// Whether the visitor's consent allows storing anything.

import { settings } from './settings.js';

export const setConsent = (isGranted) => {
  settings.consent = isGranted ? '' : 'required';
};
export const mayStore = () => !/^\s*required/i.test(settings.consent);

// With `data-gpc` a browser that sends Global Privacy Control requires consent.
if ('gpc' in settings && navigator.globalPrivacyControl) settings.consent = 'required';
