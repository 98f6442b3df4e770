// Starts the WebAssembly, in the same task as the script's tag.

// It stands in this file as printable text; `printable` in xtask wrote it.
const readBytes = () => {
  const bytes = [];
  let above = 0;
  for (const letter of WASM) {
    const digit = letter.charCodeAt() - 35 - (letter > '\\');
    if (digit > 87) {
      above = (digit - 87) * 88;
    } else {
      bytes.push(digit + above);
      above = 0;
    }
  }
  return new Uint8Array(bytes);
};

// Where WebAssembly is refused (a policy without 'wasm-unsafe-eval', a browser locked down, an old one that compiles only small modules at once), the same in JavaScript.
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
  try {
    start(new WebAssembly.Instance(new WebAssembly.Module(readBytes())).exports);
  } catch (error) {
    fallBack(error);
  }
}
