/** A stretch of time in which a host did what no tool can spare it, in milliseconds since the epoch. */
export interface Interval {
  readonly host: string;
  /**
   * `boot` from the stop of the old instance, or the start of the new one beside it, to its first good answer; `stop` that of
   * an instance which the new one did not have to wait for.
   */
  readonly phase: 'boot' | 'gate' | 'drain' | 'stop';
  readonly start: number;
  readonly end: number;
}

/**
 * The intervals in the lines that hosts note.
 *
 * @param notes by host, what it noted
 */
export function intervalsOf(notes: Readonly<Record<string, string>>): Interval[] {
  return Object.entries(notes).flatMap(([host, text]) =>
    text
      .split('\n')
      .map((line) => /^(boot|gate|drain|stop) (\d+) (\d+)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, phase, start, end]) => ({
        host,
        phase: phase as Interval['phase'],
        start: Number(start),
        end: Number(end),
      })),
  );
}

/**
 * The seconds of a roll-out in which no host booted, gated, drained or stopped: what the tool itself took. Where hosts do so side
 * by side, the time counts once.
 */
export function overheadOf(seconds: number, intervals: readonly Interval[]): number {
  return seconds - coveredMs(intervals) / 1_000;
}

/** The length of the union of intervals, in milliseconds. */
export function coveredMs(intervals: readonly Pick<Interval, 'start' | 'end'>[]): number {
  let until = -Infinity;
  let total = 0;
  for (const { start, end } of [...intervals].sort((a, b) => a.start - b.start)) {
    total += Math.max(0, end - Math.max(start, until));
    until = Math.max(until, end);
  }
  return total;
}

/**
 * Ours boots a host by one command and asks it by others, and drains one host while it goes on with the next. So a boot is
 * what lies between the first and the last note of a host's boot. And of the drains only what is left after the last gate
 * counts: before that the roll-out does not wait for them, and its own time must not hide behind them.
 *
 * @param settled the pauses between a switch and the first look at it, which belong to the gate
 */
export function ourIntervals(noted: readonly Interval[], settled: readonly Interval[]): Interval[] {
  const hosts = [...new Set(noted.map(({ host }) => host))];
  const boots = hosts.flatMap((host) => {
    const own = noted.filter((one) => one.host === host && one.phase === 'boot');
    const [first] = own;
    return first === undefined ? [] : [{ ...first, ...spanOf(own) }];
  });
  const gates = noted.filter(({ phase }) => phase === 'gate');
  const gated = Math.max(...gates.map(({ end }) => end));
  const drains = noted
    .filter(({ phase, end }) => phase === 'drain' && end > gated)
    .map((drain) => ({ ...drain, start: Math.max(drain.start, gated) }));
  return [...boots, ...settled, ...gates, ...drains, ...noted.filter(({ phase }) => phase === 'stop')];
}

const spanOf = (intervals: readonly Interval[]): Pick<Interval, 'start' | 'end'> => ({
  start: Math.min(...intervals.map(({ start }) => start)),
  end: Math.max(...intervals.map(({ end }) => end)),
});
