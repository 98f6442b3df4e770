// One script for a page: a second tag does nothing, and where the first could not start, this one takes its place.

const earlier = window.trac;
const there = earlier && earlier.getClickId;
const trac = there ? earlier : (name, ...rest) => (typeof trac[name] === 'function' ? trac[name](...rest) : undefined);
const isFirst = !there || earlier.q;

if (isFirst) {
  trac.q = (earlier && earlier.q) || [];
  Object.assign(trac, methods);
  window.trac = trac;
  if (isSelgeo) window.__selgeo = trac;
}
