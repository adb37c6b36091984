import type { StepEvent } from '@perlstack/procedure';

/** Where the time of a deploy of ours went, in milliseconds; the parts follow each other and make up the whole. */
export interface Timeline {
  /** The artifact is checked, the lock taken, the hosts looked at. */
  readonly toPlan: number;
  /** Uploads to all hosts side by side, to the last one's end; the first boots have begun by then. */
  readonly prepare: number;
  /** What is left until the release is proven everywhere. */
  readonly boot: number;
  /** Switches, gates and drains, host by host. */
  readonly roll: number;
  readonly hold: number;
  /** Old instances stop, old releases go. */
  readonly finish: number;
  readonly unlock: number;
}

/**
 * @param start when the deploy was called, in milliseconds since the epoch
 * @param end when it returned
 */
export function timelineOf(events: readonly StepEvent[], start: number, end: number): Timeline {
  const first = (kind: string | undefined, otherwise: number): number =>
    events.find((event) => (kind === undefined || event.step.kind === kind) && event.state === 'started')
      ?.at ?? otherwise;
  const planned = first(undefined, end);
  const uploaded = events.findLast(({ step, state }) => step.kind === 'upload' && state === 'done');
  const prepared = uploaded?.at ?? planned;
  const switched = first('switch', prepared);
  const rolled = first('hold', switched);
  const held = first('finish', rolled);
  const last = events.at(-1)?.at ?? held;
  return {
    toPlan: planned - start,
    prepare: prepared - planned,
    boot: switched - prepared,
    roll: rolled - switched,
    hold: held - rolled,
    finish: last - held,
    unlock: end - last,
  };
}
