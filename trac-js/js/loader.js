// Starts the WebAssembly, in the same task as the script's tag where the engine allows it.

// It stands in this file as printable text; `printable` in xtask wrote it.
const readBytes = () => {
  const bytes = [];
  for (let at = 0, above = 0; at < WASM.length; at++) {
    const code = WASM.charCodeAt(at);
    const digit = code - 35 - (code > 92);
    if (digit > 87) {
      above = (digit - 87) * 88;
    } else {
      bytes.push(digit + above);
      above = 0;
    }
  }
  return new Uint8Array(bytes);
};

// Where WebAssembly is refused (a policy without 'wasm-unsafe-eval', a browser locked down), the same in JavaScript.
const fallBack = guarded((reason) => {
  log(reason);
  const element = document.createElement('script');
  const url = new URL('trac.compat.js', script.src).href;
  Object.assign(element.dataset, settings);
  element.nonce = script.nonce;
  element.src = window.trustedTypes
    ? trustedTypes.createPolicy('trac', { createScriptURL: () => url }).createScriptURL(url)
    : url;
  document.head.append(element);
});

if (isFirst) {
  guarded(() => {
    const code = readBytes();
    try {
      start(new WebAssembly.Instance(new WebAssembly.Module(code)).exports);
    } catch (error) {
      // Engines that compile only small modules on the main thread say so by a RangeError.
      if (error instanceof RangeError) {
        WebAssembly.instantiate(code).then((result) => start(result.instance.exports), fallBack);
      } else {
        fallBack(error);
      }
    }
  })();
}
