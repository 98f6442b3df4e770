// The state of the page: the click it is attributed to, and whether the script has started.

export let started = false;
export let clickId = null;
export let source = null;

export const setStarted = () => {
  started = true;
};

export const setClick = (newId, newSource) => {
  clickId = newId;
  source = newSource;
};

// Dispatches one of the script's events on `window`.
export const dispatch = (name) =>
  dispatchEvent(new CustomEvent('trac:' + name, { detail: { clickId, source } }));
