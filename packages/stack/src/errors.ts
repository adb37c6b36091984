/** A place in a file that the user wrote. Line and column count from 1. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A fault that the user can mend: bad input, a missing right, a full disk. Its message is one line that says what,
 * where and what to do; faces print it without a stack trace. Everything else that is thrown is a fault of ours.
 */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  /** Where in the user's file the fault lies, for an annotation. */
  readonly location?: Location;

  constructor(message: string, options: { cause?: unknown; location?: Location } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    if (options.location) this.location = options.location;
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
