import { openStorage, type Storage } from '@perlstack/object-storage';
import { endpointOf, type Stack, UserError } from '@perlstack/stack';

/** The inputs of an action that say how a bucket is reached. */
export interface BucketInputs {
  readonly endpoint?: string | undefined;
  readonly 'access-key-id'?: string | undefined;
  readonly 'secret-access-key'?: string | undefined;
}

function given(inputs: BucketInputs, name: 'access-key-id' | 'secret-access-key'): string {
  const value = inputs[name];
  if (value === undefined) throw new UserError(`Input "${name}": is required; set it under "with:"`);
  return value;
}

/**
 * The bucket of a stack, where an input says, or the stack file.
 *
 * @throws UserError without a key
 */
export function openBucket(
  stack: Pick<Stack, 'region' | 'backups'>,
  inputs: BucketInputs,
  signal?: AbortSignal,
): Storage {
  return openStorage({
    endpoint: inputs.endpoint ?? endpointOf(stack),
    bucket: stack.backups?.bucket ?? '',
    accessKeyId: given(inputs, 'access-key-id'),
    secretAccessKey: given(inputs, 'secret-access-key'),
    ...(signal ? { signal } : {}),
  });
}
