// What is sent, and only where the merchant gave a key: a landing by a partner's code, and leads.

const key = settings.key || settings.publishableKey || settings.merchant;

const LEAD = '/api/track/lead';

const pause = (milliseconds) =>
  new Promise((resolve) => {
    addEventListener('online', resolve, { once: true });
    setTimeout(resolve, milliseconds);
  });

const post = async (path, body) => {
  if (!key && !settings.workspaceId) throw new Error('no data-key');
  const headers = { 'content-type': 'application/json', [key ? 'x-publishable-key' : 'x-workspace-id']: key || settings.workspaceId };
  const url = new URL(path, base);
  for (let wait = 1e3; ; wait *= 2) {
    const answer = await fetch(url, { method: 'POST', keepalive: true, headers, body: JSON.stringify(body) }).catch(note);
    if (answer && answer.ok) return answer.json();
    if (wait > 3e4 || (answer && answer.status < 500 && answer.status !== 429)) {
      throw new Error(path + ' ' + (answer ? answer.status : 'offline'));
    }
    await pause(wait);
  }
};

// A lead that the page sends by its own `fetch` takes the click along; every other request stays as it is. The click is put at the
// end of the body: nothing else of it is written anew, and of two `clickId` the last one counts.
const joinClick = (words) =>
  attempt(() => {
    const [url, options] = words;
    const { body } = options;
    if (!clickId || !body || new URL(url, document.baseURI).href !== new URL(LEAD, base).href) return;
    const lead = JSON.parse(body);
    if (!lead.eventName || lead.clickId) return;
    words[1] = { ...options, body: body.replace(/}\s*$/, `,"clickId":"${clickId}"}`) };
  });

// What is kept until the answer is here, so that a visitor who leaves at once is asked for on the next page; then
// the code, so that it is asked for once.
let landing = read(LANDING)[1];
const keepLanding = (text) => {
  landing = text;
  if (mayKeep()) attempt(() => sessionStorage.setItem(LANDING, text));
};

let asked = null;

const land = (url) => {
  if (!key) return;
  const query = new URL(url).searchParams;
  const name = (settings.queryParams || 'ref,via').split(/[\s,]+/).find((one) => query.get(one));
  const code = name && query.get(name);
  if (name && (code === asked || landing === '=' + code)) return;
  // Once a page, what the last one did not hear of.
  const left = asked === null && landing[0] === '{' && landing;
  asked = code || asked || '';
  if (!name && !left) return;
  const body = name
    ? { [settings.queryParams ? 'code' : name]: code, url, referrer: document.referrer }
    : JSON.parse(left);
  keepLanding(JSON.stringify(body));
  post('/v1/clicks', body).then(
    (answer) => {
      keepLanding('=' + (code || ''));
      find('?trac_click_id=' + answer.click_id);
    },
    (error) => {
      // What was not refused is asked for on the next page.
      if (!/(offline|5..|429)$/.test(error)) keepLanding('');
      note(error);
      tell('error');
    },
  );
};
