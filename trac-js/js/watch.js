// The places on the page that lead to Stripe, now and whenever the page changes.

const PLACES = 'a,area,form,[formaction],stripe-buy-button,stripe-pricing-table';
const WATCHED = ['href', 'xlink:href', 'action', 'method', 'formaction', 'client-reference-id'];
// A page that puts its own value back each time is left to it after so many rewrites; a click still counts.
const REWRITES = 50;

const known = new WeakMap();
let found = 0;
let rewritten = 0;

const isNew = (answer) => answer && answer !== '=' && answer[0] !== '!';

// Answers `ask` for one attribute of an element, and writes what it says. A value of our own writing is asked about
// as it was before, so that it follows when the click changes.
const settle = (element, name, ask, byVisitor, write) => {
  let places = known.get(element);
  if (!places) known.set(element, (places = {}));
  const now = element.getAttribute(name) || '';
  const place = places[name] || (places[name] = { times: 0 });
  const before = now && now === place.written ? place.original : now;
  const answer = ask(before);
  if (answer && !place.counted) {
    place.counted = true;
    found++;
  }
  if (answer[0] === '!') {
    skipped.set(place, { reason: answer.slice(1), value: now });
    log('skipped', answer, element);
  }
  if (!isNew(answer) || answer === now || (place.times >= REWRITES && !byVisitor)) return;
  if (!place.times++) rewritten++;
  place.original = before;
  place.written = answer;
  skipped.delete(place);
  write ? write(answer) : element.setAttribute(name, answer);
  log('rewritten', answer, element);
};

const posts = (element, name) => /^post$/i.test(element.getAttribute(name) || '');

// A form that GETs drops the query of its action: a hidden field carries the reference.
const settleForm = (form, action, byVisitor) => {
  const field = form.querySelector('[name=client_reference_id]');
  if (field && field.type !== 'hidden') return;
  const input = field || document.createElement('input');
  settle(input, 'value', (value) => reference(action, value), byVisitor, (value) => {
    input.type = 'hidden';
    input.name = 'client_reference_id';
    input.setAttribute('value', value);
    if (!field) form.append(input);
  });
};

const settleElement = (element, byVisitor) => {
  const name = 'client-reference-id';
  settle(element, name, (value) => reference('', value), byVisitor, (value) => {
    const late = !known.get(element)[name].late && element.matches(':defined');
    element.setAttribute(name, value);
    if (late && element.parentNode) {
      // It has drawn itself without the reference: put back in its place, it draws itself once more.
      known.get(element)[name].late = true;
      element.parentNode.insertBefore(element, element.nextSibling);
    }
  });
};

const visit = guarded((element, byVisitor) => {
  const tag = element.localName;
  if (tag === 'a' || tag === 'area') {
    for (const name of ['href', 'xlink:href']) {
      if (element.hasAttribute(name)) settle(element, name, link, byVisitor);
    }
  } else if (tag === 'form') {
    if (posts(element, 'method')) settle(element, 'action', link, byVisitor);
    else if (element.getAttribute('action')) settleForm(element, element.getAttribute('action'), byVisitor);
  } else if (tag === 'stripe-buy-button' || tag === 'stripe-pricing-table') {
    settleElement(element, byVisitor);
  } else if (element.hasAttribute('formaction')) {
    const form = element.form;
    if (posts(element, 'formmethod') || (form && posts(form, 'method'))) settle(element, 'formaction', link, byVisitor);
    else if (form) settleForm(form, element.getAttribute('formaction'), byVisitor);
  }
});

const scan = guarded((root) => {
  if (root.matches && root.matches(PLACES)) visit(root);
  root.querySelectorAll(PLACES).forEach((element) => visit(element));
});

// A URL as a script is about to use it; anything that is no Payment Link comes back as it was.
const linked = (url) => {
  const answer = guarded(link)(String(url));
  return isNew(answer) ? answer : url;
};

const observe = () =>
  new MutationObserver(
    guarded((records) => {
      for (const record of records) {
        if (record.type === 'attributes') visit(record.target);
        else for (const node of record.addedNodes) if (node.nodeType === 1) scan(node);
      }
    }),
  ).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: WATCHED });

// What frameworks set back before a click is settled once more when the visitor acts.
const listen = () => {
  const act = guarded((event) => {
    for (const node of event.composedPath()) if (node.nodeType === 1 && node.matches(PLACES)) visit(node, true);
  });
  for (const type of ['pointerdown', 'click', 'auxclick', 'keydown', 'contextmenu', 'submit']) {
    addEventListener(type, act, { capture: true, passive: true });
  }
  for (const type of ['popstate', 'hashchange', 'pageshow']) addEventListener(type, guarded(look));
};

const follow = () => {
  for (const name of ['pushState', 'replaceState']) {
    const original = history[name];
    history[name] = function () {
      const result = original.apply(this, arguments);
      guarded(look)();
      return result;
    };
  }
  const open = window.open;
  window.open = function (url, ...rest) {
    return open.apply(this, arguments.length ? [linked(url), ...rest] : []);
  };
  // Where a script sets `location`, only this event sees it.
  if (window.navigation) {
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
  }
};
