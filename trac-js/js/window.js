// `window.trac`: a function that also has each method by its name, so that the calls of the stub queue
// (`trac('ready', callback)`) work after the script has loaded, too.
//
// A page has one script: a second tag does nothing, unless the first one could not start.

export const existing = window.trac;
const isInstalled = existing && existing.getClickId;

export const trac = isInstalled
  ? existing
  : (name, ...rest) => (typeof trac[name] === 'function' ? trac[name](...rest) : undefined);
export const isFirst = !isInstalled || existing.q;
