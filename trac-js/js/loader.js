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

// The WebAssembly stands in this file as printable text; `printable` in xtask wrote it.
const readBytes = () => {
  const bytes = [];
  let above = 0;
  for (const letter of WASM) {
    const code = letter.charCodeAt(0);
    const digit = code - 35 - (code > 92);
    if (digit > 87) {
      above = (digit - 87) * 88;
    } else {
      bytes.push(digit + above);
      above = 0;
    }
  }
  return bytes;
};

const earlier = window.trac;
const queue = (earlier && earlier.q) || [];
if (!(earlier && earlier.getClickId)) {
  window.trac = trac;
  guarded(() => {
    const bytes = new Uint8Array(readBytes());
    try {
      begin(new WebAssembly.Instance(new WebAssembly.Module(bytes), IMPORTS));
    } catch (error) {
      // Engines that compile only small modules on the main thread say so by a RangeError.
      if (!(error instanceof RangeError)) throw error;
      WebAssembly.instantiate(bytes, IMPORTS).then((result) => begin(result.instance), guarded((late) => { throw late; }));
    }
  })();
}
