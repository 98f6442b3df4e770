// The entry of `trac.compat.js` and of the package: starts the JavaScript that wasm2js has made from the WebAssembly.

import { guarded } from './guard.js';
import { isFirst } from './window.js';
import { start } from './begin.js';
import { instantiate } from '../generated/compat.js';

if (isFirst) guarded(() => start(instantiate()))();
