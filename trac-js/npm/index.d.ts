/** What `init` takes: the attributes of the script tag, in camel case. Lists may be arrays. */
export interface Options {
  /** Publishable key; turns on clicks by partner's code and `trackLead`. */
  key?: string;
  /** Sent where there is no key. */
  workspaceId?: string;
  /** Where the tracking API is, such as `https://track.example.com`. */
  apiUrl?: string;
  /** `Domain` of the cookie; found by trying where it is not given. */
  cookieDomain?: string;
  /** Life of cookie and stored ID in days, 400 at most; 90 where it is not given. */
  cookieDays?: number;
  attributionModel?: 'last-click' | 'first-click';
  /** Which names are written; with several, those of each. */
  dialect?: Dialect | Dialect[];
  /** Payment Link domains of your own. */
  stripeDomains?: string | string[];
  /** Other sites of yours, which the click is handed on to. */
  outboundDomains?: string | string[];
  /** Parameters that hold a partner's code; `ref` and `via` where they are not given. */
  queryParams?: string | string[];
  /** `required`: nothing is stored before `consent(true)`. */
  consent?: 'required';
  /** Takes Global Privacy Control for `consent: 'required'`. */
  gpc?: boolean;
  /** Logs each decision to the console. */
  debug?: boolean;
}

export type Dialect = 'trac' | 'selgeo' | 'attro';

export interface Lead {
  eventName: string;
  customerExternalId: string;
  clickId?: string;
  customerEmail?: string;
  customerName?: string;
  /** Made by your server, such as by `customer_token` of the Rust SDK: the lead then counts as your own word. */
  customerToken?: string;
  metadata?: Record<string, unknown>;
  mode?: 'deferred';
}

export interface LeadAnswer {
  id: string;
  attributed: boolean;
  reason: string | null;
  click_id: string | null;
  commission_id: string | null;
}

export interface Debug {
  clickId: string | null;
  source: 'url' | 'cookie' | 'storage' | null;
  stored: ('cookie' | 'localStorage')[];
  /** Places on the page that lead to Stripe. */
  found: number;
  /** Those that carry the click. */
  rewritten: number;
  skipped: { reason: string; value: string }[];
  errors: string[];
  version: string;
}

/** Starts it, once for a page. On a server it does nothing. */
export function init(options?: Options): void;
/** The click of this visitor; null where there is none, on a server, and before `init`. */
export function getClickId(): string | null;
/** Calls back once it has started. */
export function ready(callback: (clickId: string | null) => void): void;
/** Tells of a lead; rejected where the server refuses it or is not there for a minute. */
export function trackLead(lead: Lead): Promise<LeadAnswer>;
/** A Payment Link with the click; any other URL as it was. */
export function link(url: string): string;
/** The visitor's answer. */
export function consent(granted: boolean): void;
/** Looks again at the URL and at the page. */
export function refresh(): void;
/** Forgets the click, here and wherever it is kept. */
export function clear(): void;
/** What was found and done; null where nothing has started. */
export function debug(): Debug | null;

declare global {
  interface WindowEventMap {
    'trac:ready': CustomEvent<{ clickId: string | null; source: string | null }>;
    'trac:click': CustomEvent<{ clickId: string | null; source: string | null }>;
    'trac:error': CustomEvent<{ clickId: string | null; source: string | null }>;
  }
}
