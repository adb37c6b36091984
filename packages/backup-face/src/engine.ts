import type { Site } from '@perlstack/action';
import type { Stack } from '@perlstack/stack';

export type BackupEngine = NonNullable<Stack['backups']>['engine'];

/** What copies PostgreSQL: what an input asks for, else what the stack file says. */
export const engineOf = ({ file }: Site, asked: 'auto' | 'pg_dump'): BackupEngine =>
  asked === 'pg_dump' ? 'pg_dump' : (file.stack.backups?.engine ?? 'stream');

/** The names in lines, where several may stand with commas between them. */
export const namesIn = (lines: readonly string[]): string[] =>
  lines
    .flatMap((line) => line.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
