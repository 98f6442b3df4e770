// The elements that lead to Stripe: links, forms, Buy Buttons and Pricing Tables.

import { guarded } from './guard.js';
import { judgeLink, judgeReference } from './judge.js';
import { settle } from './settle.js';

// A form with the method GET drops the query of its action, so a hidden field carries the reference.
const settleForm = (form, action, byVisitor) => {
  const [field] = [...form.elements].filter((control) => control.name === 'client_reference_id');
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
      // The element has rendered without the reference: inserted again at the same place, it renders once more.
      place.late = true;
      element.parentNode.insertBefore(element, element.nextSibling);
    }
  });
};

export const visit = guarded((element, byVisitor) => {
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
