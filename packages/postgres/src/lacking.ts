import type { PostgresSpec } from '@perlstack/configs';
import type { ServerSeen } from './seen.js';
import { slotOf } from './sql.js';

/** One thing that a cluster is to have, and has not. */
export interface Lack {
  readonly target: string;
  readonly what: string;
}

/** What a primary lacks of its roles, databases, extensions and of the slots for the other members. */
export function lacking(spec: PostgresSpec, host: string, server: ServerSeen): Lack[] {
  const roles = spec.roles.flatMap(({ name }): Lack[] => {
    const state = server.roles[name] ?? 'missing';
    if (state === 'current') return [];
    return [{ target: `role ${name}`, what: state === 'missing' ? 'new' : 'password or rights differ' }];
  });
  const databases = spec.databases.flatMap(({ name, extensions }): Lack[] => {
    const there = server.databases.includes(name);
    const missing = extensions.filter((extension) => !server.extensions[name]?.includes(extension));
    return [
      ...(there ? [] : [{ target: `database ${name}`, what: 'new' }]),
      ...missing.map((extension) => ({ target: `extension ${extension} in ${name}`, what: 'new' })),
    ];
  });
  const slots = spec.members
    .filter((member) => member.host !== host)
    .map((member) => slotOf(member.host))
    .filter((slot) => !server.slots.some(({ name }) => name === slot))
    .map((slot): Lack => ({ target: `slot ${slot}`, what: 'new' }));
  return [...roles, ...databases, ...slots];
}
