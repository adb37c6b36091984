import { openStorage, type Storage } from '@perlstack/object-storage';
import type { Stack } from '@perlstack/stack';

/** The inputs of an action that say how a bucket is reached. */
export interface BucketInputs {
  readonly endpoint?: string | undefined;
  readonly 'access-key-id': string;
  readonly 'secret-access-key': string;
}

/** The bucket of a stack; where no endpoint is named, that of the stack's region at Linode. */
export function openBucket(
  { region, backups }: Pick<Stack, 'region' | 'backups'>,
  inputs: BucketInputs,
  signal?: AbortSignal,
): Storage {
  return openStorage({
    endpoint: inputs.endpoint ?? `https://${region}-1.linodeobjects.com`,
    bucket: backups?.bucket ?? '',
    accessKeyId: inputs['access-key-id'],
    secretAccessKey: inputs['secret-access-key'],
    ...(signal ? { signal } : {}),
  });
}
