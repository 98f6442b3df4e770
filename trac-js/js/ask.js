// Sends a request to Rust: writes it to the shared memory, and reads the response behind it.

import { settings } from './settings.js';
import { parameter } from './names.js';
import { clickId } from './click.js';
import { __wbg_set_wasm as setInstance, answer, bufferAddress, memory } from '../generated/rust.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

let bytes;
export const connect = (instance) => {
  setInstance(instance);
  bytes = new Uint8Array(memory().buffer, bufferAddress());
};

// Merchants use the same list on all of their sites: the site of this page is left out.
const outbound = (settings.outboundDomains || '')
  .split(',')
  .filter((site) => site.trim().toLowerCase() !== location.hostname);

// The fields of `request.rs`, in its order. The memory has room for 1,048,576 bytes; a character takes three at most,
// and a response is hardly longer than its request.
export const ask = (isAboutLink, url, stored) => {
  const request = [
    clickId,
    parameter,
    settings.stripeDomains,
    outbound,
    settings.attributionModel,
    stored,
    url,
  ].join('\0');
  if (!bytes || request.length > 16e4) return '';
  const { written } = encoder.encodeInto(request, bytes);
  return decoder.decode(bytes.subarray(written, answer(isAboutLink, written)));
};
