/** What the user allows beyond what is always safe. */
export interface Consent {
  /** Restarting what asks before it does. */
  readonly restart: boolean;
  /** Hosts whose copy of the data may be thrown away and made anew. */
  readonly rebuild: readonly string[];
  /** What becomes of files that somebody changed on the host: they are shown and left, or put back. */
  readonly drift: 'keep' | 'restore';
}

/** Only what is always safe. */
export const NO_CONSENT: Consent = { restart: false, rebuild: [], drift: 'keep' };
