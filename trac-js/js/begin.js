// Brings the script to life.

const begin = guarded((exports) => {
  wasm = exports;
  bytes = new Uint8Array(wasm.memory.buffer, tape());
  // A router that was faster than the script has taken the query away; the browser remembers it.
  attempt(() => {
    const { name } = performance.getEntriesByType('navigation')[0];
    if (name !== location.href) look(name);
  });
  arrive();
  started = true;
  const waiting = trac.q || [];
  delete trac.q;
  extendAll();
  guarded(listen)();
  watch(document);
  scan(document);
  for (const call of waiting) guarded(trac)(...call);
  log('started', clickId, source);
  tell('ready');
  if (clickId) tell('click');
});

// A page that is made ready before anybody sees it has no visitor yet.
const start = (exports) => {
  if (document.prerendering) document.addEventListener('prerenderingchange', () => begin(exports), { once: true });
  else begin(exports);
};
