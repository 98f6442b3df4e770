// The entry of `trac.js`: starts the WebAssembly, in the same task as the script's tag.

import { script } from './settings.js';
import { guarded, log } from './guard.js';
import { load } from './load.js';
import { isFirst } from './window.js';
import { start } from './begin.js';
import { WASM } from '../generated/wasm.js';

// The WebAssembly as printable text; the function `printable` of xtask writes it.
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

// Loads the same script in JavaScript where WebAssembly is rejected: by a policy without 'wasm-unsafe-eval', by a
// browser in lockdown mode, by an old browser that compiles only small modules synchronously.
const fallBack = guarded((reason) => {
  log(reason);
  load(new URL('trac.compat.js', script.src).href);
});

if (isFirst) {
  try {
    start(new WebAssembly.Instance(new WebAssembly.Module(readBytes())).exports);
  } catch (error) {
    fallBack(error);
  }
}
