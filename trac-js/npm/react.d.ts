/** The ID of this visitor's click, updated when it changes; null on a server. */
export function useClickId(): string | null;
