import { UserError } from '@perlstack/stack';
import { hostScript } from './scripts.js';
import type { Site } from './site.js';
import type { Owner } from './lease.js';

/** What a run does. */
export interface Work {
  readonly kind: 'deploy' | 'rollback' | 'repair';
  readonly release: string;
  /** What served before. */
  readonly previous: string | null;
}

/** One line of the log that every app host keeps of what was deployed to it. */
export interface AuditEntry extends Work {
  /** ISO 8601, by the runner's clock. */
  readonly at: string;
  /** `began` alone means that the run was killed. */
  readonly event: 'began' | 'succeeded' | 'rolled-back' | 'cancelled' | 'failed';
  /** The run that did it, where to look at it, and who started it. */
  readonly owner: string;
  readonly url: string | null;
  readonly actor: string | null;
  /** The workflow's file and the number that GitHub gave this run of it. */
  readonly workflow: string | null;
  readonly number: number | null;
  /** The commit of the release; of a rollback, and where nobody said, none is noted. */
  readonly commit?: string;
  readonly reason: string | null;
}

/** Standard input: a line. Keeps the last 1,000. */
export const APPEND = String.raw`
install -d -m 755 "$state"
exec 9>"$state/mutex"
flock 9
cat >>"$state/audit.log"
if [ "$(wc -l <"$state/audit.log")" -gt 1200 ]; then
  tail -n 1000 "$state/audit.log" >"$state/audit.log.next"
  mv -fT "$state/audit.log.next" "$state/audit.log"
fi
`;

/** Adds a line on each of these hosts; one that cannot be written to has other worries. */
export async function appendAudit(site: Site, hosts: readonly string[], entry: AuditEntry): Promise<void> {
  const options = { sudo: true, name: 'audit log', timeoutMs: 20_000, input: lineOf(entry) };
  await Promise.allSettled(
    hosts.map((host) => site.remote.script(host, hostScript(site, APPEND), [], options)),
  );
}

/** As the log has it. */
export const lineOf = (entry: AuditEntry): string => `${JSON.stringify(entry)}\n`;

/** What a run says of itself in the log. */
export function entryOf(
  owner: Owner,
  what: Work & Pick<AuditEntry, 'event'> & { readonly reason?: string },
): AuditEntry {
  return {
    at: new Date().toISOString(),
    ...what,
    ...{ owner: owner.id, url: owner.url ?? null, actor: owner.actor ?? null },
    ...{ workflow: owner.workflow ?? null, number: owner.number ?? null, reason: what.reason ?? null },
    ...(what.kind === 'deploy' && owner.commit !== undefined ? { commit: owner.commit } : {}),
  };
}

/** The log as the hosts have it, oldest entry first; a line that is none of ours is passed over. */
export function mergeAudits(logs: readonly (readonly string[])[]): AuditEntry[] {
  const entries = [...new Set(logs.flat())].flatMap((line) => {
    try {
      const entry = JSON.parse(line) as AuditEntry;
      return typeof entry.at === 'string' && typeof entry.release === 'string' ? [entry] : [];
    } catch {
      return [];
    }
  });
  return entries.sort((a, b) => a.at.localeCompare(b.at));
}

/**
 * An old run that is started again, or was overtaken while it waited, must not put its commit in the place of a newer one.
 *
 * @param serving releases that are in service, and held
 * @throws UserError naming the newer run.
 */
export function requireNewest(
  audit: readonly AuditEntry[],
  owner: Owner,
  release: string,
  serving: ReadonlySet<string>,
): void {
  const { workflow, number } = owner;
  if (workflow === undefined || number === undefined) return;
  const newer = audit.find(
    (entry) =>
      entry.kind === 'deploy' &&
      (entry.event === 'succeeded' || (serving.has(entry.release) && brokeOff(entry, audit))) &&
      entry.workflow === workflow &&
      (entry.number ?? 0) > number,
  );
  if (newer === undefined) return;
  const by = newer.actor === null ? '' : ` of ${newer.actor}`;
  throw new UserError(
    `release ${release} of run #${number} is older than ${newer.release}, which run #${newer.number}${by}` +
      `${newer.url === null ? '' : ` (${newer.url})`} deployed on ${newer.at}. To go back on purpose, use mode "rollback"; to deploy ` +
      'this commit anyway, set the input "allow-older". Nothing was changed',
  );
}

/** What a run that began said at its end; of one that was killed there is nothing. */
const endOf = ({ at, owner, release }: AuditEntry, audit: readonly AuditEntry[]): AuditEntry | undefined =>
  audit.find(
    (one) => one.event !== 'began' && one.owner === owner && one.release === release && one.at >= at,
  );

const brokeOff = (entry: AuditEntry, audit: readonly AuditEntry[]): boolean =>
  entry.event === 'began' && endOf(entry, audit) === undefined;

/** A time by the runner's clock, in milliseconds since 1970. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** When servers may have had a release that did not hold: while a deploy was under way that failed or broke off. */
export function troubledTimes(audit: readonly AuditEntry[], nowMs: number): Span[] {
  return audit.flatMap((entry, at) => {
    if (entry.event !== 'began') return [];
    const end = endOf(entry, audit);
    if (end?.event === 'succeeded') return [];
    // One that was killed is put right by the next one.
    const until = end ?? audit[at + 1];
    return [{ fromMs: Date.parse(entry.at), untilMs: until ? Date.parse(until.at) : nowMs }];
  });
}

/** The commit that a release was made of, where one of its deploys said it. */
export const commitOf = (audit: readonly AuditEntry[], release: string): string | undefined =>
  audit.findLast((entry) => entry.release === release && entry.commit !== undefined)?.commit;

/** A release as a person wants to see it: what came of it last, who did it, when, where it lies. */
export interface ReleaseRecord {
  readonly release: string;
  readonly state: AuditEntry['event'] | 'unknown';
  readonly kind: AuditEntry['kind'];
  readonly at: string | null;
  readonly actor: string | null;
  readonly url: string | null;
  readonly reason: string | null;
  /** It gets the requests, of how many hosts. */
  readonly servesOn: number;
  /** On how many hosts it is kept: it can be gone back to where any does. */
  readonly keptOn: number;
}

/** Releases by what was last done with them, newest first. */
export function historyOf(
  audit: readonly AuditEntry[],
  hosts: readonly {
    readonly serving: string | null;
    readonly releases: readonly { readonly id: string }[];
  }[],
): ReleaseRecord[] {
  const latest = new Map(audit.map((entry) => [entry.release, entry]));
  const kept = new Set(hosts.flatMap(({ releases }) => releases.map(({ id }) => id)));
  return [...new Set([...[...latest.keys()].reverse(), ...kept])]
    .map((release): ReleaseRecord => {
      const entry = latest.get(release);
      return {
        release,
        state: entry?.event ?? 'unknown',
        kind: entry?.kind ?? 'deploy',
        ...{ at: entry?.at ?? null, actor: entry?.actor ?? null, url: entry?.url ?? null },
        reason: entry?.reason ?? null,
        servesOn: hosts.filter(({ serving }) => serving === release).length,
        keptOn: hosts.filter(({ releases }) => releases.some(({ id }) => id === release)).length,
      };
    })
    .sort((a, b) => (b.at ?? '').localeCompare(a.at ?? ''));
}
