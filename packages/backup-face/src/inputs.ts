import type { Site } from '@perlstack/action';
import { assertRecipient, openBucket, type RetentionRules, rulesFrom } from '@perlstack/backup';
import type { Storage } from '@perlstack/object-storage';
import { stackFault } from '@perlstack/stack';

/** @throws UserError where the stack file has no `backups` */
export function rulesOf({ file }: Site, minimum: number): RetentionRules {
  const { backups } = file.stack;
  if (!backups)
    throw stackFault(
      file.locate([]),
      'backups',
      'the stack file names no bucket; add "backups: { bucket: NAME }" and run apply-configs',
    );
  return rulesFrom(backups, minimum);
}

/** The public key that backups are encrypted for; `null`: they are not. @throws UserError when it is missing or none */
export function recipientOf({ file }: Site, recipient: string | undefined): string | null {
  if (file.stack.backups?.encrypt === false) return null;
  if (recipient === undefined)
    throw stackFault(
      file.locate(['backups', 'encrypt']),
      'backups.encrypt',
      'backups are encrypted, and the input "age-recipient" has no public key; make a pair with age-keygen, keep the private one safe, or write encrypt: false',
    );
  assertRecipient(recipient);
  return recipient;
}

/** The bucket to restore from. @throws UserError where the stack file names none */
export function bucketOfSite(
  { file }: Site,
  inputs: Parameters<typeof openBucket>[1],
  signal: AbortSignal,
): Storage {
  if (!file.stack.backups)
    throw stackFault(file.locate([]), 'backups', 'the stack file names no bucket to restore from');
  return openBucket(file.stack, inputs, signal);
}
