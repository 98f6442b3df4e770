// Helpers for the pages in this folder. A page visits other pages in frames, checks what it finds, and ends
// with `ok` or the failures in the element `result`, which the test reads.

const NATIVE = 'clk_1764000000_0123456789abcdef';
const OLDER = 'clk_1700000000_fedcba9876543210';
const FOREIGN = '2f1c6a1e-4d0b-4f6e-9a57-3c8f0a1b2c3d';
const LINK = 'https://buy.stripe.com/test_1';

const failures = [];
let checks = 0;
let current = window;

const check = (name, got, want) => {
  checks++;
  if (JSON.stringify(got) !== JSON.stringify(want)) {
    failures.push(`${name}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
  }
};

const clearAll = () => {
  localStorage.clear();
  sessionStorage.clear();
  for (const name of ['trac_click_id', 'clk_id', 'rd_click_id']) {
    document.cookie = `${name}=; Path=/; Max-Age=0`;
    document.cookie = `${name}=; Path=/; Max-Age=0; Domain=shop.localhost`;
  }
};

const loaded = (element) => new Promise((resolve) => element.addEventListener('load', resolve));

// Opens a page in a frame with `html`, runs `before` on its window, then adds the script with `attributes`.
const visit = async (query = '', { html = '', attributes = {}, before = () => {} } = {}) => {
  const frame = document.createElement('iframe');
  frame.src = 'blank.html' + query;
  document.body.append(frame);
  await loaded(frame);
  const { contentWindow: window, contentDocument } = frame;
  window.thrown = [];
  window.addEventListener('error', (event) => window.thrown.push(event.message));
  contentDocument.body.innerHTML = html;
  before(window);
  await addScript(window, attributes);
  current = window;
  return window;
};

const addScript = async (window, attributes = {}) => {
  const script = window.document.createElement('script');
  for (const [name, value] of Object.entries(attributes)) script.setAttribute(name, value);
  script.src = '/trac.js';
  const done = loaded(script);
  window.document.head.append(script);
  await done;
  // If WebAssembly is blocked, the script loads a second file.
  await until(() => window.trac.getClickId && !window.trac.q);
};

// Long enough for mutation observers, which run before the next task.
const settled = () => new Promise((resolve) => setTimeout(resolve));

// Waits for the result of a request, for 5 s at most.
const until = async (holds) => {
  for (let left = 500; left > 0 && !holds(); left--) await new Promise((resolve) => setTimeout(resolve, 10));
};

const decorated = (url, id = NATIVE) => `${url}${url.includes('?') ? '&' : '?'}client_reference_id=${id}`;
const href = (window, selector = 'a') => window.document.querySelector(selector).getAttribute('href');
// Read in the current page: a browser may update other documents' cookies a moment later.
const cookie = (name = 'trac_click_id') =>
  (current.document.cookie.split('; ').find((pair) => pair.startsWith(name + '=')) || '').slice(name.length + 1) || null;

const run = async (pages) => {
  try {
    await pages();
  } catch (error) {
    failures.push(`stopped: ${error.stack}`);
  }
  clearAll();
  document.querySelectorAll('iframe').forEach((frame) => frame.remove());
  const result = document.createElement('pre');
  result.id = 'result';
  result.textContent = failures.length || !checks ? failures.join('\n') || 'no checks ran' : `ok, ${checks} checks`;
  document.body.append(result);
};
