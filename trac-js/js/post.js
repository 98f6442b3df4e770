// Requests to the tracking API. They are sent only if the merchant has set a key.

import { base, settings } from './settings.js';
import { recordError } from './guard.js';

export const key = settings.key || settings.publishableKey || settings.merchant;

const pause = (milliseconds) =>
  new Promise((resolve) => {
    addEventListener('online', resolve, { once: true });
    setTimeout(resolve, milliseconds);
  });

export const post = async (path, body) => {
  if (!key && !settings.workspaceId) throw new Error('no data-key');
  const headers = {
    'content-type': 'application/json',
    [key ? 'x-publishable-key' : 'x-workspace-id']: key || settings.workspaceId,
  };
  const url = new URL(path, base);
  for (let wait = 1e3; ; wait *= 2) {
    const response = await fetch(url, { method: 'POST', keepalive: true, headers, body: JSON.stringify(body) }).catch(
      recordError,
    );
    if (response && response.ok) return response.json();
    if (wait > 3e4 || (response && response.status < 500 && response.status !== 429)) {
      throw new Error(path + ' ' + (response ? response.status : 'offline'));
    }
    await pause(wait);
  }
};
