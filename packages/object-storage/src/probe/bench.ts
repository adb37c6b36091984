import type { Presigner } from '../presign.js';
import type { Storage } from '../storage.js';

/** What a try may use: nothing outside of a folder of its own. */
export interface Bench {
  readonly storage: Storage;
  readonly prefix: string;
  /** Where probes have their folders. */
  readonly shared: string;
  readonly folder: string;
  readonly presigner: Presigner;
  readonly at: (name: string) => { readonly Bucket: string; readonly Key: string };
}

export const CONTENT = 'probe';
export const OTHER = 'other';
