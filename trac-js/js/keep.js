// Where the click is kept: in a cookie and in storage, under the names of the dialects that are written.

const OWN = 'trac_click_id';
const ATTRO = 'rd_click_id';
const SELGEO = '__selgeo_cid';
// Until when the stored ID is good, in seconds since 1970.
const UNTIL = 'trac_click_until';
const LANDING = 'trac_landing';

const dialects = (settings.dialect || '').split(/\W+/);
const isSelgeo = dialects.includes('selgeo');
const cookieNames = [...new Set(dialects.map((dialect) => (dialect === 'attro' ? ATTRO : OWN)))];
// The first dialect's.
const parameter = dialects[0] === 'selgeo' ? 'click_id' : cookieNames[0];

// A visitor who asks not to be tracked is asked first, where the merchant wants it so.
if ('gpc' in settings && navigator.globalPrivacyControl) settings.consent = 'required';
const mayKeep = () => !/^\s*required/i.test(settings.consent);

// No browser keeps a cookie longer than 400 days.
const days = settings.cookieDays;
const seconds = (days > 0 && days <= 400 ? days : 90) * 86400;
if (days > 400) log('cookieDays', days);
const now = () => Math.floor(Date.now() / 1e3);

const readCookies = () => attempt(() => document.cookie);
// Whether the first cookie of the name, which hides the others, holds the ID.
const isIn = (name, id) => (`; ${readCookies()};`.split(`; ${name}=`)[1] || '').startsWith(id + ';');

const inStores = (act) => ['localStorage', 'sessionStorage'].map((name) => attempt(() => act(window[name])));
const read = (key) => inStores((store) => store.getItem(key));
const readStored = () => {
  const until = read(UNTIL).join('');
  return until && until < now() ? [] : [...read(OWN), ...read(SELGEO)];
};

// As `cookie.rs` reads it.
const kept = () => [readCookies(), ...readStored(), clickId].join(';=');

// Writes a cookie for the merchant's domain and for every domain of the host, the widest first, until it is there:
// browsers refuse public suffixes without a word, so the only way to know is to try and look. An empty one is never there,
// so all are removed.
const spread = (name, id) => {
  const write = (value, domain) =>
    attempt(() => {
      document.cookie =
        `${name}=${value}; Path=/; Max-Age=${value ? seconds : 0}; SameSite=Lax` +
        (domain ? '; Domain=' + domain : '') +
        (location.protocol === 'https:' ? '; Secure' : '');
    });
  // An older one of this host alone would hide the new one.
  write('');
  // An IP address, which ends in a digit, has no domains.
  const labels = location.hostname.replace(/.*\d$/, '').split('.');
  const domains = labels.map((_, at) => (at ? labels.slice(~at).join('.') : settings.cookieDomain));
  for (const domain of [...domains, '']) {
    if (domain !== undefined) write(id, domain);
    if (id && isIn(name, id)) return;
  }
};

const keep = (id) => {
  if (!mayKeep()) return;
  for (const name of cookieNames) if (!isIn(name, id)) spread(name, id);
  const [own, , selgeo] = readStored();
  if (own === id && (!isSelgeo || selgeo === id)) return;
  attempt(() => {
    localStorage.setItem(UNTIL, now() + seconds);
    if (isSelgeo) localStorage.setItem(SELGEO, id);
    localStorage.setItem(OWN, id);
  });
};

const forget = () => {
  for (const name of [OWN, 'clk_id', ATTRO]) spread(name, '');
  for (const key of [OWN, SELGEO, UNTIL, LANDING]) inStores((store) => store.removeItem(key));
};
