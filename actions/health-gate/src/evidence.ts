import { markdownTable } from '@perlstack/action';
import { type Evidence, type GroupEvidence, isGroup, type Verdict } from '@perlstack/health';
import { formatDuration } from '@perlstack/stack';

/** What every probe showed last, each below its group. */
export function evidenceTable({ evidence, tree = evidence }: Pick<Verdict, 'evidence' | 'tree'>): string {
  return markdownTable(
    ['Probe', 'Asked from', 'Answer', 'Verdict', 'Time'],
    tree.flatMap((member) => rowsOf(member, 0)),
    ['l', 'l', 'l', 'l', 'r'],
  );
}

function rowsOf(member: Evidence | GroupEvidence, depth: number): string[][] {
  const mark = '↳ '.repeat(depth);
  const verdict = member.ok ? 'healthy' : 'not healthy';
  if (!isGroup(member))
    return [[`${mark}${member.probe}`, member.from, member.seen, verdict, formatDuration(member.ms)]];
  const { group, healthy, needed, members } = member;
  const share = `${healthy} of ${members.length}, needed ${needed}`;
  return [
    [`${mark}${group}`, '', share, verdict, ''],
    ...members.flatMap((inner) => rowsOf(inner, depth + 1)),
  ];
}
