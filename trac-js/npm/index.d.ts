/** The options of `init`: the attributes of the script tag, in camel case. Lists may be arrays. */
export interface Options {
  /** Publishable key; required for clicks by a partner's code, and for `trackLead` unless `workspaceId` is set. */
  key?: string;
  /** ID of the workspace, sent if there is no key: reports leads of live mode. */
  workspaceId?: string;
  /** Base URL of the tracking API, such as `https://track.example.com`. */
  apiUrl?: string;
  /** `Domain` of the cookie; by default the widest domain that the browser accepts. */
  cookieDomain?: string;
  /** Lifetime of the cookie and the stored ID in days, at most 400; 90 by default. */
  cookieDays?: number;
  attributionModel?: 'last-click' | 'first-click';
  /** The dialect whose names are written, or several. */
  dialect?: Dialect | Dialect[];
  /** Your own Payment Link domains. */
  stripeDomains?: string | string[];
  /** Your other sites: links to them get the click in their query. */
  outboundDomains?: string | string[];
  /** URL parameters that contain a partner's code; `ref` and `via` by default. */
  queryParams?: string | string[];
  /** `required`: nothing is stored before `consent(true)`. */
  consent?: 'required';
  /** Treats a visitor's Global Privacy Control like `consent: 'required'`. */
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
  /** Made by your server, such as by `customer_token` of the Rust SDK: the lead then counts as your own report. */
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
  /** How many links and elements on the page lead to Stripe. */
  found: number;
  /** How many of them the script has rewritten. */
  rewritten: number;
  skipped: { reason: string; value: string }[];
  errors: string[];
  version: string;
}

/** Starts the script, once for each page. On a server it does nothing. */
export function init(options?: Options): void;
/** The ID of this visitor's click; null if there is none, on a server, and before `init`. */
export function getClickId(): string | null;
/** Calls `callback` once the script has started. */
export function ready(callback: (clickId: string | null) => void): void;
/** Reports a lead. The promise is rejected if the server rejects the lead, or is not reached in six attempts. */
export function trackLead(lead: Lead): Promise<LeadAnswer>;
/** The URL with the click, if it is a Payment Link or leads to an outbound domain; otherwise the URL unchanged. */
export function link(url: string): string;
/** Records whether the visitor consents: stores or removes the click. */
export function consent(granted: boolean): void;
/** Reads the URL and the page again. */
export function refresh(): void;
/** Deletes the click, in memory and wherever it is stored. */
export function clear(): void;
/** What the script has found and changed; null if it has not started. */
export function debug(): Debug | null;

declare global {
  interface WindowEventMap {
    'trac:ready': CustomEvent<{ clickId: string | null; source: string | null }>;
    'trac:click': CustomEvent<{ clickId: string | null; source: string | null }>;
    'trac:error': CustomEvent<{ clickId: string | null; source: string | null }>;
  }
}
