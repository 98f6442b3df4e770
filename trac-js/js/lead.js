// Leads: those that the page sends by `trac.trackLead`, and those that it sends by a `fetch` of its own.

import { base } from './settings.js';
import { attempt } from './guard.js';
import { trac } from './window.js';
import { clickId, started } from './click.js';
import { post } from './post.js';

const LEAD = '/api/track/lead';

export const trackLead = (lead) =>
  started
    ? post(LEAD, { clickId: clickId || undefined, ...lead })
    : new Promise((resolve) => trac.q.push(['ready', () => resolve(trac.trackLead(lead))]));

// Adds the click to the arguments of a `fetch` that sends a lead; every other request is left unchanged. The click is
// added at the end of the body, the rest of which is not serialized again: of two `clickId` the last one counts.
export const joinClick = (args) =>
  attempt(() => {
    const [url, options] = args;
    const { body } = options;
    if (!clickId || !body || new URL(url, document.baseURI).href !== new URL(LEAD, base).href) return;
    const lead = JSON.parse(body);
    if (!lead.eventName || lead.clickId) return;
    args[1] = { ...options, body: body.replace(/}\s*$/, `,"clickId":"${clickId}"}`) };
  });
