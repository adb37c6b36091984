/** One entry of an error answer: a reason and, where one is at fault, the field. */
export interface ErrorEntry {
  readonly reason: string;
  readonly field?: string;
}

/** Thrown by handlers; becomes the answer `{errors: [...]}` with its status. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly errors: readonly ErrorEntry[];

  constructor(status: number, errors: readonly ErrorEntry[]) {
    super(errors.map((entry) => entry.reason).join(' '));
    this.status = status;
    this.errors = errors;
  }
}

export function entry(reason: string, field?: string): ErrorEntry {
  return field === undefined ? { reason } : { reason, field };
}

export function badRequest(reason: string, field?: string): ApiError {
  return new ApiError(400, [entry(reason, field)]);
}

export function notFound(reason = 'Not found'): ApiError {
  return new ApiError(404, [entry(reason)]);
}

/** The text that official clients wait and retry on, to the letter. */
export function busy(): ApiError {
  return badRequest('Linode busy.');
}

/** The plan is sold out in a region. */
export function soldOut(): ApiError {
  const reason = 'The Linode plan you chose is not currently available in the selected region.';
  return new ApiError(403, [entry(reason)]);
}
