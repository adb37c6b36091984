import { describe, expect, it } from '@jest/globals';
import { checkLog, keptOf } from './catalogue.js';
import { isOn, isOnWay, type Line, lineOf, newestLine } from './lineage.js';
import { expiredSegments, planRetention } from './retention.js';
import { chooseBackup, recoverySettings, type Target, targetAlong } from './restore.js';
import { historiesIn } from './stored-histories.js';
import { exampleManifest } from './testing.js';
import { parseHistory, segmentName, timelineOf } from './wal.js';

const SEGMENT = 16_777_216;
const lsnIn = (segment: number): string => `0/${segment.toString(16).toUpperCase()}000100`;

/** A backup that ends in a segment, a night after the other. */
const backup = (night: number, timeline: number, segment: number) => ({
  bytes: 100,
  manifest: exampleManifest(`202611${String(night).padStart(2, '0')}T020000Z`, {
    wal: { timeline, startLsn: lsnIn(segment), stopLsn: lsnIn(segment), segmentBytes: SEGMENT },
  }),
});

/** Night 3 is behind the place to which the data were taken back after it; night 4 is of what came of that. */
const [first, second, left, next] = [backup(1, 1, 2), backup(2, 1, 4), backup(3, 1, 9), backup(4, 2, 7)];
const BACK = new Map([[2, parseHistory('1\t0/6000000\tbefore 2026-11-02 12:00:00.25+00\n')]]);
/** A plain promotion: the replica had all. */
const PROMOTED = new Map([[2, parseHistory('1\t0/A000000\tno recovery target specified\n')]]);
const idOf = ({ manifest }: typeof first): string => manifest.id;

describe('lineOf', () => {
  it('is known of the first timeline, and of others by their history', () => {
    expect(lineOf(new Map(), 1)).toEqual({ timeline: 1, switches: [] });
    expect(lineOf(BACK, 2)).toEqual({
      timeline: 2,
      switches: [{ timeline: 1, lsn: '0/6000000', before: new Date('2026-11-02T12:00:00.250Z') }],
    });
    expect(lineOf(PROMOTED, 2)).toEqual({ timeline: 2, switches: [{ timeline: 1, lsn: '0/A000000' }] });
    expect(lineOf(BACK, 3)).toBeNull();
  });
});

describe('newestLine', () => {
  const timelineIn = ({ manifest }: typeof first) => manifest.wal.timeline;
  it.each([
    ['the first', new Map(), [first], 1],
    ['that of a restore before it has a backup', BACK, [first, left], 2],
    ['that of the newest backup', BACK, [first, next], 2],
    ['not known where the newest one has no history in the bucket yet', new Map(), [first, next], undefined],
  ] as const)('is %s', (_, histories, backups, timeline) =>
    expect(newestLine(histories, backups.map(timelineIn))?.timeline).toBe(timeline),
  );
  it('is not known where the bucket has a segment of a timeline whose history was lost', () =>
    expect(newestLine(new Map(), [1, timelineOf(segmentName(2, 9n, SEGMENT))])).toBeNull());
});

describe('isOn', () => {
  const line = lineOf(BACK, 2);
  it.each([
    ['on the timeline itself', 2, '0/7000100', line, true],
    ['before it was left', 1, '0/5FFFFFF', line, true],
    ['that ends right where it was left', 1, '0/6000000', line, true],
    ['behind that place', 1, '0/6000001', line, false],
    // As text it would be before.
    ['far behind that place', 1, '0/10000000', line, false],
    ['of a timeline that the line never was on', 3, '0/1000000', line, false],
    ['of whatever timeline, where nobody knows the line', 3, '0/1000000', null, true],
  ] as const)('a backup %s', (_, timeline, stopLsn, one, on) =>
    expect(isOn(one, { timeline, stopLsn })).toBe(on),
  );
});

const NONE: ReadonlySet<string> = new Set();
const LATEST: Target = { kind: 'latest' };
const at = (time: string): Target => ({ kind: 'time', at: new Date(time) });

describe('a backup and the timeline of its recovery', () => {
  const all = [first, second, left];
  it.each([
    ['the newest that leads to the restored server', all, null, LATEST, BACK, second, 2],
    ['the newest of its own, when there is one', [...all, next], null, LATEST, BACK, next, 'current'],
    [
      'a time before the restore, on what it left',
      all,
      null,
      at('2026-11-01T12:00:00Z'),
      BACK,
      first,
      'current',
    ],
    [
      'a time of what was left: the newest line stays',
      all,
      null,
      at('2026-11-03T12:00:00Z'),
      BACK,
      second,
      2,
    ],
    ['one that was left, by its id, along its own', all, idOf(left), LATEST, BACK, left, 'current'],
    ['one that is an ancestor, by its id', all, idOf(first), LATEST, BACK, first, 2],
    ['the end of a backup is on its own', all, idOf(first), { kind: 'backup' }, BACK, first, 'current'],
    ['a promotion leaves nothing behind', all, null, LATEST, PROMOTED, left, 2],
    ['one timeline alone', all, null, LATEST, new Map(), left, 'current'],
  ] as const)('%s', (_, backups, id, target, histories, chosen, along) => {
    const line = newestLine(
      histories,
      backups.map(({ manifest }) => manifest.wal.timeline),
    );
    const found = chooseBackup(backups, id, target, line);
    expect(idOf(found)).toBe(idOf(chosen));
    expect(recoverySettings('x', targetAlong(found, target, line, NONE))).toContainEqual([
      'recovery_target_timeline',
      String(along),
    ]);
  });
  it('keeps to its own for a point that the backup noted', () =>
    expect(
      targetAlong(first, { kind: 'lsn', lsn: '0/1', along: 'current' }, lineOf(BACK, 2), NONE).along,
    ).toBe('current'));
  it('is PostgreSQL’s choice where nobody knows', () =>
    expect(recoverySettings('x', targetAlong(first, LATEST, null, NONE))).toContainEqual([
      'recovery_target_timeline',
      'latest',
    ]));
  it('says which there are where none leads to the newest timeline', () =>
    expect(() => chooseBackup([left], null, LATEST, lineOf(BACK, 2))).toThrow(
      `none leads to timeline 2, with which the log goes on; name one to recover along its own timeline: ${idOf(left)}`,
    ));
});

describe('the end of the log where a timeline has just begun', () => {
  const line = lineOf(BACK, 2);
  const has = (...names: [number, bigint][]) =>
    new Set(names.map(([timeline, number]) => segmentName(timeline, number, SEGMENT)));
  const settings = (names: ReadonlySet<string>, target: Target = LATEST) =>
    recoverySettings('x', targetAlong(second, target, line, names)).slice(1);
  const promoted = ['recovery_target_action', 'promote'];

  it('is its beginning, while of its first segment there is only what the one before wrote', () =>
    expect(settings(has([1, 5n], [1, 6n], [1, 7n]))).toEqual([
      ...[['recovery_target_timeline', '1'], promoted],
      ...[
        ['recovery_target_lsn', '0/6000000'],
        ['recovery_target_inclusive', 'off'],
      ],
    ]));
  it.each([
    ['its first segment is there', has([1, 6n], [2, 6n])],
    ['the one before ends before it', has([1, 5n])],
  ])('is the end where %s', (_, names) =>
    expect(settings(names)).toEqual([['recovery_target_timeline', '2'], promoted]),
  );
  it.each([
    ['the older one, whose they are too', at('2026-11-02T12:00:00Z'), has([1, 6n]), 'current'],
    ['the new one when it has a segment', at('2026-11-02T12:00:00Z'), has([1, 6n], [2, 6n]), '2'],
    ['the new one when they come after it', at('2026-11-02T12:00:01Z'), has([1, 6n]), '2'],
  ])('leaves times alone, on %s', (_, target, names, timeline) =>
    expect(settings(names, target)).toEqual([
      ...[['recovery_target_timeline', timeline], promoted],
      ['recovery_target_time', target.kind === 'time' ? target.at.toISOString().replace('Z', '+00') : ''],
    ]),
  );

  describe('after two that came at once', () => {
    const history =
      '1\t0/6000000\tbefore 2026-11-02 12:00:00+00\n2\t0/6000100\tno recovery target specified\n';
    const twice = lineOf(new Map([[3, parseHistory(history)]]), 3);
    const along = (target: Target, names: ReadonlySet<string>) => targetAlong(second, target, twice, names);

    it('is the beginning of the first, where the bucket has neither', () =>
      expect(along(LATEST, has([1, 6n]))).toMatchObject({
        along: 3,
        upTo: { timeline: 1, lsn: '0/6000000' },
      }));
    it('is the beginning of the second, where it has the first', () =>
      expect(along(LATEST, has([1, 6n], [2, 6n]))).toMatchObject({
        upTo: { timeline: 2, lsn: '0/6000100' },
      }));
    it('is what there is, where the one between lasted and its last segment is missing', () => {
      const later = lineOf(new Map([[3, parseHistory(history.replace('0/6000100', '0/9000000'))]]), 3);
      expect(targetAlong(second, LATEST, later, has([1, 6n]))).toEqual({ kind: 'latest', along: 3 });
    });
    it.each([
      ['11:59:59', 'current'],
      ['12:00:00', 3],
    ])('has a time on what the first left if it was there then: %s', (time, timeline) =>
      expect(along(at(`2026-11-02T${time}Z`), has([1, 6n])).along).toBe(timeline),
    );
  });
});

describe('isOnWay', () => {
  const line = lineOf(BACK, 2);
  const name = (timeline: number, number: bigint) => segmentName(timeline, number, SEGMENT);
  it.each([
    ['before the switch', name(1, 5n), 2, line, true],
    // PostgreSQL would take it for want of the newer timeline's, and read on behind the switch.
    ['with the switch, of the older timeline', name(1, 6n), 2, line, false],
    ['behind the switch', name(1, 7n), Infinity, line, false],
    ['with the switch, of the newer timeline', name(2, 6n), 2, line, true],
    ['of the older timeline, which is the goal', name(1, 7n), 1, line, true],
    ['newer than the goal', name(2, 6n), 1, line, false],
    ['of a way that nobody knows', name(1, 7n), Infinity, null, true],
    ['a history, of whatever timeline', '00000009.history', 1, line, true],
  ] as const)('%s', (_, file, goal, one, on) => expect(isOnWay(one, goal, file, SEGMENT)).toBe(on));
});

const RULES = { daily: 2, weekly: 0, monthly: 0, pitrMs: 86_400_000, minimum: 1 };
const plan = (backups: readonly (typeof first)[], night: number, line: Line | null, rules = RULES) =>
  planRetention(backups.map(keptOf), rules, new Date(Date.UTC(2026, 10, night, 3)), (one) => isOn(line, one));
const reasons = (backups: readonly (typeof first)[], night: number, line: Line | null, rules = RULES) =>
  plan(backups, night, line, rules).verdicts.map(({ reasons: why }) => why.join(' '));

describe('retention after a recovery to the past', () => {
  const line = lineOf(BACK, 2);
  it('keeps what the restored server came from, though a newer one was left, and all of the log behind it', () => {
    const backups = [first, second, left];
    const { window } = plan(backups, 5, line);
    expect(window?.id).toBe(idOf(second));
    expect(reasons(backups, 5, line)).toEqual(['daily', 'newest daily point-in-time', 'daily']);
    const names = [1, 3, 4, 5, 9].map((one) => segmentName(1, BigInt(one), SEGMENT));
    expect(expiredSegments(names, window)).toEqual(names.slice(0, 2));
    // By age alone the window would have begun with the one that was left.
    const { window: byAge } = plan(backups, 5, null);
    expect(byAge?.id).toBe(idOf(left));
  });
  it('lets one that was left go with its days, and none take the place of one on the line', () => {
    const backups = [first, second, left, next, backup(5, 2, 8), backup(6, 2, 9)];
    expect(reasons(backups, 6, line)).toEqual(['', '', '', '', 'daily point-in-time', 'newest daily']);
    const both = { ...RULES, daily: 4 };
    expect(reasons(backups, 6, line, both)).toEqual([
      ...['', 'daily', 'daily', 'daily', 'daily point-in-time', 'newest daily'],
    ]);
  });
  it('keeps the newest there are before the line has any', () =>
    expect(reasons([left], 20, line)).toEqual(['newest daily point-in-time']));
});

describe('checkLog after a recovery to the past', () => {
  const names = [
    ...[4, 5, 6, 7, 8, 9].map((one) => segmentName(1, BigInt(one), SEGMENT)),
    ...[6, 7].map((one) => segmentName(2, BigInt(one), SEGMENT)),
  ];
  const wal = (missing: string) =>
    new Map(
      names
        .filter((name) => name !== missing)
        .map((name) => [name, { key: name, size: 1, modified: new Date(0) }]),
    );
  const check = (missing: string) =>
    checkLog(
      { backups: [first, second, left], broken: [], wal: wal(missing) },
      {
        ...{ rules: RULES, histories: BACK, line: lineOf(BACK, 2), now: new Date('2026-11-05T03:00:00Z') },
        upTo: segmentName(2, 7n, SEGMENT),
        startOf: ({ wal: { stopLsn } }) => stopLsn,
      },
    );
  it('looks along the line that the server is on, from a backup on it', () => {
    const { from, coverage, newest } = check('');
    expect(from && idOf(from)).toBe(idOf(second));
    expect(coverage).toMatchObject({ missing: [], segments: 4 });
    expect(newest).toEqual(coverage);
  });
  it.each([
    [segmentName(1, 5n, SEGMENT), [segmentName(1, 5n, SEGMENT)]],
    [segmentName(2, 6n, SEGMENT), [segmentName(2, 6n, SEGMENT)]],
    // Of what was left nothing is missed.
    [segmentName(1, 8n, SEGMENT), []],
  ])('without %s', (missing, told) => expect(check(missing).coverage?.missing).toEqual(told));
});

describe('historiesIn', () => {
  it('reads each by its name', () =>
    expect(
      historiesIn(
        '\nhistory 00000002.history\n1\t0/6000000\tx\n\nhistory 0000000A.history\n1\t0/6000000\tx\n2\t0/7000000\ty\n',
      ),
    ).toEqual(
      new Map([
        [2, [{ timeline: 1, lsn: '0/6000000' }]],
        [
          10,
          [
            { timeline: 1, lsn: '0/6000000' },
            { timeline: 2, lsn: '0/7000000' },
          ],
        ],
      ]),
    ));
  it('has none of nothing', () => expect(historiesIn('')).toEqual(new Map()));
});
