/** The click of this visitor, followed when it changes; null on a server. */
export function useClickId(): string | null;
