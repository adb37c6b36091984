import { UserError } from '@perlstack/stack';

/**
 * Replaces what stands between `<!-- NAME:start -->` and `<!-- NAME:end -->`.
 * Throws a UserError when the text doesn't hold both, in this order, once.
 * @param file is named by the error.
 */
export function replaceBetween(text: string, name: string, content: string, file: string): string {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [before, rest, ...moreStarts] = text.split(start);
  const [old, after, ...moreEnds] = (rest ?? '').split(end);
  if (
    before === undefined ||
    old === undefined ||
    after === undefined ||
    moreStarts.length + moreEnds.length > 0
  )
    throw new UserError(`${file}: the generated part needs the lines ${start} and ${end}, once each`);
  return `${before}${start}\n\n${content}\n\n${end}${after}`;
}
