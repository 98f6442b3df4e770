// The places on the page that lead to Stripe, now and whenever the page changes.

const WATCHED = ['href', 'xlink:href', 'action', 'method', 'formaction', 'client-reference-id'];
// A page that puts its own value back each time is left to it after so many rewrites; a click still counts.
const REWRITES = 50;

const known = new WeakMap();
let found = 0;
let rewritten = 0;

const isNew = (told) => told && told !== '=' && told[0] !== '!';
// A browser takes blanks around a URL away, and tabs and line breaks in it. A link without a scheme has the page's.
const judgeLink = (text) => {
  const url = text.replace(/^[\0- ]+|[\t\n\r]|[\0- ]+$/g, '');
  const scheme = url.startsWith('//') ? location.protocol : '';
  const told = ask(true, scheme + url);
  return isNew(told) ? told.slice(scheme.length) : told;
};
// A reference is asked about on the URL that it is going to be part of.
const judgeReference = (action, found) => {
  const told = judgeLink(action.replace(/[?#].*/s, '') + '?client_reference_id=' + encodeURIComponent(found));
  return isNew(told) ? clickId : told;
};

// Answers `judge` for one attribute of an element, and writes what it says. A value of our own writing is asked about
// as it was before, so that it follows when the click changes.
const settle = (element, name, judge, byVisitor, write) => {
  let places = known.get(element);
  if (!places) known.set(element, (places = {}));
  const now = element.getAttribute(name) || '';
  const place = places[name] || (places[name] = { times: 0 });
  const before = now && now === place.written ? place.original : now;
  const told = judge(before);
  if (told && !place.counted) {
    place.counted = true;
    found++;
  }
  skipped.delete(place);
  if (told[0] === '!') {
    skipped.set(place, { reason: told.slice(1), value: now });
    log('skipped', told, element);
  }
  // Where the click has nothing to say any more, the merchant's own comes back.
  const value = isNew(told) ? told : before;
  if (value === now || (place.times >= REWRITES && !byVisitor)) return;
  if (!place.times++) rewritten++;
  place.original = before;
  place.written = value;
  write ? write(value, place) : element.setAttribute(name, value);
  log('rewritten', value, element);
};

// A form that GETs drops the query of its action: a hidden field carries the reference.
const settleForm = (form, action, byVisitor) => {
  const [field] = [...form.elements].filter((one) => one.name === 'client_reference_id');
  if (!action || (field && field.type !== 'hidden')) return;
  const input = field || document.createElement('input');
  settle(input, 'value', (value) => judgeReference(action, value), byVisitor, (value) => {
    input.type = 'hidden';
    input.name = 'client_reference_id';
    input.setAttribute('value', value);
    if (!field) form.append(input);
  });
};

const settleElement = (element, byVisitor) => {
  const name = 'client-reference-id';
  const judge = (value) => judgeReference('https://buy.stripe.com/1', value);
  settle(element, name, judge, byVisitor, (value, place) => {
    const late = !place.late && element.matches(':defined');
    element.setAttribute(name, value);
    if (late && element.parentNode) {
      // It has drawn itself without the reference: put back in its place, it draws itself once more.
      place.late = true;
      element.parentNode.insertBefore(element, element.nextSibling);
    }
  });
};

const visit = guarded((element, byVisitor) => {
  const tag = element.localName;
  const settleLink = (name) => element.hasAttribute(name) && settle(element, name, judgeLink, byVisitor);
  if (/^(a|area)$/.test(tag)) {
    settleLink('href');
    settleLink('xlink:href');
  } else if (/^stripe-(buy-button|pricing-table)$/.test(tag)) {
    settleElement(element, byVisitor);
  } else {
    const isForm = tag === 'form';
    const form = isForm ? element : element.form;
    const name = isForm ? 'action' : 'formaction';
    if (!form || !element.hasAttribute(name)) return;
    const method = (!isForm && element.getAttribute('formmethod')) || form.getAttribute('method');
    if (/^post$/i.test(method)) settleLink(name);
    else settleForm(form, element.getAttribute(name), byVisitor);
  }
});

// Everything below, open shadow roots too.
const scan = guarded((root) => {
  const walker = document.createTreeWalker(root, 1);
  for (let node = root; node; node = walker.nextNode()) {
    if (node.localName) visit(node);
    enter(node.shadowRoot);
  }
});

const observer = guarded(
  () =>
    new MutationObserver(
      guarded((records) => {
        for (const record of records) {
          if (record.type === 'attributes') visit(record.target);
          else for (const node of record.addedNodes) if (node.nodeType === 1) scan(node);
        }
      }),
    ),
)();

const watch = guarded((root) => {
  if (observer) observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: WATCHED });
});

const enter = (root) => {
  if (root && root.host) {
    watch(root);
    scan(root);
  }
};

// A URL as a script is about to use it; anything that is no Payment Link comes back as it was.
const linked = (url) => {
  const answer = guarded(judgeLink)(String(url));
  return isNew(answer) ? answer : url;
};

// What frameworks set back before a click is settled once more when the visitor acts.
const listen = () => {
  const act = guarded((event) => {
    for (const node of event.composedPath()) if (node.nodeType === 1) visit(node, true);
  });
  for (const type of ['pointerdown', 'click', 'auxclick', 'keydown', 'contextmenu', 'submit']) {
    addEventListener(type, act, { capture: true, passive: true });
  }
  addEventListener('pageshow', arrive);
};

// Replaces a function of the browser by one that also does ours, and looks as the browser's own; where the page has frozen it,
// nothing is replaced.
const extend = guarded((owner, name, before, after) => {
  owner[name] = new Proxy(owner[name], {
    apply(original, self, words) {
      if (before) before(words);
      const result = Reflect.apply(original, self, words);
      if (after) guarded(after)(self);
      return result;
    },
  });
});

const extendAll = () => {
  extend(Element.prototype, 'attachShadow', 0, (element) => enter(element.shadowRoot));
  extend(window, 'open', (words) => {
    if (words.length) words[0] = linked(words[0]);
  });
  extend(window, 'fetch', joinClick);
  const { navigation } = window;
  // A frame without an origin of its own has the object, and hears nothing from it.
  if (!navigation || !navigation.currentEntry) {
    for (const type of ['popstate', 'hashchange']) addEventListener(type, arrive);
    for (const name of ['pushState', 'replaceState']) extend(history, name, 0, arrive);
    return;
  }
  navigation.addEventListener('currententrychange', arrive);
  // Where a script sets `location`, only this event sees it.
  navigation.addEventListener(
    'navigate',
    guarded((event) => {
      const url = event.destination.url;
      const to = linked(url);
      if (to === url || !event.cancelable || event.formData || event.defaultPrevented) return;
      event.preventDefault();
      event.navigationType === 'replace' ? location.replace(to) : location.assign(to);
    }),
  );
};
