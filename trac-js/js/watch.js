// Visits the elements of the page, open shadow roots included, now and whenever the page changes.

import { guarded } from './guard.js';
import { visit } from './visit.js';

const WATCHED = ['href', 'xlink:href', 'action', 'method', 'formaction', 'client-reference-id'];

export const scan = guarded((root) => {
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

export const watch = guarded((root) => {
  if (observer) observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: WATCHED });
});

export const enter = (root) => {
  if (root && root.host) {
    watch(root);
    scan(root);
  }
};
