// Brings the script to life, in the same task as its tag where the engine allows it.

const begin = guarded((instance) => {
  wasm = instance.exports;
  start();
  started = true;
  guarded(follow)();
  guarded(listen)();
  scan(document);
  guarded(observe)();
  for (const call of queue) guarded(trac)(...call);
  waiting.forEach(methods.ready);
  log('started', clickId, source);
  tell('ready');
  if (clickId) tell('click');
});

const earlier = window.trac;
const queue = (earlier && earlier.q) || [];
if (!(earlier && earlier.getClickId)) {
  window.trac = trac;
  guarded(() => {
    const bytes = Uint8Array.from(atob(WASM), (letter) => letter.charCodeAt(0));
    try {
      begin(new WebAssembly.Instance(new WebAssembly.Module(bytes), IMPORTS));
    } catch (error) {
      // Engines that compile only small modules on the main thread say so by a RangeError.
      if (!(error instanceof RangeError)) throw error;
      WebAssembly.instantiate(bytes, IMPORTS).then((result) => begin(result.instance), guarded((late) => { throw late; }));
    }
  })();
}
