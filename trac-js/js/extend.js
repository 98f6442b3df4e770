// What the script listens to, and the functions of the browser that it extends.

import { guarded } from './guard.js';
import { linked } from './judge.js';
import { visit } from './visit.js';
import { enter } from './watch.js';
import { joinClick } from './lead.js';
import { arrive } from './arrive.js';

// A framework may have restored an attribute, so it is written again when the visitor acts.
export const listen = () => {
  const visitPath = guarded((event) => {
    for (const node of event.composedPath()) if (node.nodeType === 1) visit(node, true);
  });
  for (const type of ['pointerdown', 'click', 'auxclick', 'keydown', 'contextmenu', 'submit']) {
    addEventListener(type, visitPath, { capture: true, passive: true });
  }
  addEventListener('pageshow', arrive);
};

// Replaces a function of the browser by a proxy, which looks like the original; if the page has frozen the function,
// nothing is replaced.
const extend = guarded((owner, name, before, after) => {
  owner[name] = new Proxy(owner[name], {
    apply(original, self, args) {
      if (before) before(args);
      const result = Reflect.apply(original, self, args);
      if (after) guarded(after)(self);
      return result;
    },
  });
});

export const extendAll = () => {
  extend(Element.prototype, 'attachShadow', 0, (element) => enter(element.shadowRoot));
  extend(window, 'open', (args) => {
    if (args.length) args[0] = linked(args[0]);
  });
  extend(window, 'fetch', joinClick);
  const { navigation } = window;
  // A frame with an opaque origin has the object, but receives no events from it.
  if (!navigation || !navigation.currentEntry) {
    for (const type of ['popstate', 'hashchange']) addEventListener(type, arrive);
    for (const name of ['pushState', 'replaceState']) extend(history, name, 0, arrive);
    return;
  }
  navigation.addEventListener('currententrychange', arrive);
  // When a script sets `location`, this is the only event.
  navigation.addEventListener(
    'navigate',
    guarded((event) => {
      const url = event.destination.url;
      const newUrl = linked(url);
      if (newUrl === url || !event.cancelable || event.formData || event.defaultPrevented) return;
      event.preventDefault();
      event.navigationType === 'replace' ? location.replace(newUrl) : location.assign(newUrl);
    }),
  );
};
