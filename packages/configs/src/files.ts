import type { Host, Stack } from '@perlstack/stack';
import type { ManagedFile } from './bundle.js';

/** First line of every file, so that nobody edits it on the host in vain. */
export function headingOf(stack: Stack, host: Host): string {
  return `Rendered by perlstack for ${host.name} of the stack ${stack.stack}; changes made here are overwritten.`;
}

/** A file that everyone may read. */
export function textFile(path: string, content: string): ManagedFile {
  return { path, content, owner: 'root', group: 'root', mode: 0o644, secret: false };
}
