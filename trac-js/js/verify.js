// The entry of `trac-verify.js`, which the script loads on a page that a merchant checks: shows in words what the
// script does on the page, and reports it to the set-up page. Nothing of the page is changed.

// The names of a cookie that is written and removed at once, and of the element on the page.
const PROBE = 'trac_verify_probe';
const ELEMENT = 'trac-verify';

const tag = document.currentScript;
const settings = { ...tag.dataset };
const server = settings.apiUrl || tag.src;
const token = new URLSearchParams(location.search).get('trac_verify');

const STYLE = `
:host { all: initial; position: fixed; inset: auto 16px 16px auto; z-index: 2147483647; max-width: min(26rem, calc(100vw - 32px)) }
section { font: 14px/1.45 system-ui, sans-serif; color: #1c1e21; background: #fff; border: 2px solid #1f6f43; border-radius: 10px;
  padding: 14px 16px; box-shadow: 0 8px 30px rgb(0 0 0 / 25%); max-height: 80vh; overflow: auto }
section.problem { border-color: #b3261e }
h2 { font-size: 16px; margin: 0 0 6px } p { margin: 6px 0 } dl { margin: 8px 0; display: grid; grid-template-columns: auto 1fr; gap: 2px 12px }
dt { font-weight: 600 } dd { margin: 0; overflow-wrap: anywhere }
button { font: inherit; padding: 4px 12px; border: 1px solid #888; border-radius: 6px; background: #f3f3f3; color: inherit; cursor: pointer }
button:focus-visible { outline: 3px solid #1a5fb4; outline-offset: 2px }
@media (prefers-color-scheme: dark) { section { color: #eee; background: #1c1e21 } button { background: #333 } }
`;

// What the page's policy blocked of this server, also before this file was loaded if the browser remembers it.
const blocked = new Set();
const origin = new URL(server, location.href).origin;
const noteBlocked = (url, directive) => {
  if (String(url).startsWith(origin)) blocked.add(directive);
};
addEventListener('securitypolicyviolation', (event) => noteBlocked(event.blockedURI, event.effectiveDirective));
const observe = () =>
  new ReportingObserver(
    (reports) => {
      for (const { body } of reports) noteBlocked(body.blockedURL, body.effectiveDirective);
    },
    { types: ['csp-violation'], buffered: true },
  ).observe();
if (window.ReportingObserver) observe();

// The widest domain for which the browser stores a cookie: '' for the host alone, null for none.
const cookieDomain = () => {
  const write = (domain, age) => {
    document.cookie =
      `${PROBE}=1; Path=/; Max-Age=${age}; SameSite=Lax` +
      (domain ? '; Domain=' + domain : '') +
      (location.protocol === 'https:' ? '; Secure' : '');
  };
  // An IP address, which ends in a digit, has no domains.
  const labels = location.hostname.replace(/.*\d$/, '').split('.');
  const parents = labels.map((_, at) => labels.slice(~at).join('.')).filter((domain) => domain.includes('.'));
  for (const domain of [settings.cookieDomain, ...parents, '']) {
    if (domain === undefined) continue;
    try {
      write(domain, 60);
      const isStored = document.cookie.includes(PROBE + '=1');
      write(domain, 0);
      if (isStored) return domain;
    } catch {
      return null;
    }
  }
  return null;
};

const facts = () => {
  const { clickId, source, stored, found, rewritten, skipped, errors, version } = window.trac.debug();
  const has = (selector) => document.querySelector(selector) !== null;
  const isTag = has('script[src*="/trac."],script[src*="/selgeo."]');
  return {
    build: has('script[src*="trac.compat.js"]') ? 'compat' : isTag ? 'wasm' : 'package',
    version,
    click_id: clickId,
    source,
    stored,
    found,
    rewritten,
    skipped: skipped.slice(0, 10),
    errors: errors.slice(0, 10),
    cookie_domain: cookieDomain(),
    consent: /^\s*required/i.test(settings.consent) ? 'required' : 'not_required',
    key: settings.key || settings.publishableKey || settings.merchant || null,
    blocked: [...blocked],
  };
};

const BUILDS = {
  wasm: 'runs',
  compat: 'runs, in its larger form: the page does not allow WebAssembly',
  package: 'runs, as a package',
};

const inWords = (report) => {
  const cookie = report.cookie_domain;
  const links = report.found === 1 ? '1 link to Stripe' : `${report.found} links to Stripe`;
  const skipped = report.skipped.map(({ reason }) => (reason === 'merchant_reference' ? 'your own reference' : reason));
  return [
    ['Script', BUILDS[report.build]],
    ['Click', report.click_id ? `${report.click_id} (${report.source})` : 'none: the visit did not begin at a partner’s link'],
    [
      'Cookie',
      cookie === null
        ? 'the browser stores none here'
        : `can be stored for ${cookie || location.hostname}` + (report.stored.includes('cookie') ? ', and is' : ''),
    ],
    [
      'Links',
      report.found
        ? `${links}, ${report.rewritten} with the click` + (skipped.length ? `; left as they are: ${skipped.join(', ')}` : '')
        : 'none to Stripe on this page',
    ],
    ['Consent', report.consent === 'required' ? 'required: nothing is stored before it is given' : 'not required'],
    ['Policy', report.blocked.length ? `blocked: ${report.blocked.join(', ')}` : 'blocks nothing of the script'],
    ...report.errors.map((error) => ['Error', error]),
  ];
};

const element = (name, text, ...children) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
};

const draw = (isFine, title, sentences, lines) => {
  const host = document.createElement(ELEMENT);
  const root = host.attachShadow({ mode: 'closed' });
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch {
    // An older browser shows the words without the style.
  }
  const list = element('dl', '', ...lines.flatMap(([term, words]) => [element('dt', term), element('dd', words)]));
  const close = element('button', 'Close');
  close.addEventListener('click', () => host.remove());
  const texts = sentences.filter(Boolean).map((sentence) => element('p', sentence));
  const section = element('section', '', element('h2', title), ...texts, list, close);
  section.setAttribute('role', 'status');
  if (!isFine) section.className = 'problem';
  root.append(section);
  document.documentElement.append(host);
};

const send = (report) =>
  fetch(new URL('/v1/setup/script-check', server), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, report }),
  });

const run = async () => {
  const report = facts();
  let response;
  try {
    response = await send(report);
  } catch {
    // The event of a blocked request may come after its exception.
    await new Promise((resolve) => setTimeout(resolve, 100));
    report.blocked = [...blocked];
    const why = report.blocked.includes('connect-src')
      ? `The page’s Content-Security-Policy does not allow ${origin} in connect-src.`
      : `The report could not be sent to ${origin}: an ad blocker or the network stopped it.`;
    draw(false, 'trac runs, but cannot report', [why], inWords(report));
    return;
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) {
    const title = answer.ok ? 'trac runs on this page' : 'trac runs, with a problem';
    draw(answer.ok, title, [answer.ok ? '' : answer.what, answer.remedy, 'The set-up page has this result.'], inWords(report));
  } else {
    // A stranger may have made this address: nothing of the page is shown.
    draw(false, 'trac could not check this page', [answer.error && answer.error.message, `The script is of ${origin}.`], []);
  }
};

const start = () => setTimeout(run, 500);
if (document.readyState === 'complete') start();
else addEventListener('load', start, { once: true });
