/** What finishes a deploy that left something half done, in the words of all messages. */
export const NEXT_RUN = 'the next deploy or a run with mode "repair"';

/** What becomes of an app host that a deploy could not bring, or put back, to what the others have. */
export const outUntilNextRun = (host: string): string =>
  `${host} gets no requests until ${NEXT_RUN} has brought it up to date`;
