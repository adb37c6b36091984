import type { Handler } from '@perlstack/procedure';
import type { Hands } from './hands.js';
import type { BakeStep } from './steps.js';

export function baking(_hands: Hands): Handler<BakeStep> {
  return { run: () => Promise.reject(new Error('to come')) };
}
