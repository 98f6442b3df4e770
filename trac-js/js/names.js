// The names that the dialects of `data-dialect` use for cookies, storage keys and the URL parameter.

import { settings } from './settings.js';

export const OWN = 'trac_click_id';
export const ATTRO = 'rd_click_id';
export const SELGEO = '__selgeo_cid';

const dialects = (settings.dialect || '').split(/\W+/);
export const isSelgeo = dialects.includes('selgeo');
export const cookieNames = [...new Set(dialects.map((dialect) => (dialect === 'attro' ? ATTRO : OWN)))];
// The first dialect's parameter.
export const parameter = dialects[0] === 'selgeo' ? 'click_id' : cookieNames[0];
