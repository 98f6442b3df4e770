import { useSyncExternalStore } from 'react';
import { getClickId } from 'trac-js';

const subscribe = (changed) => {
  const events = ['trac:ready', 'trac:click'];
  for (const name of events) addEventListener(name, changed);
  return () => {
    for (const name of events) removeEventListener(name, changed);
  };
};

export const useClickId = () => useSyncExternalStore(subscribe, getClickId, () => null);
