import type { JsonObject } from '../json.js';

/** The kernels that a new profile is likely to name; Linode keeps some 300 older ones. */
export const KERNELS: readonly JsonObject[] = [
  kernel('latest-64bit', 'Latest 64 bit (6.8.9-x86_64-linode164)', '6.8.9', 'x86_64'),
  kernel('latest-32bit', 'Latest 32 bit (6.8.9-x86-linode184)', '6.8.9', 'i386'),
  kernel('6.8.9-x86_64-linode164', '6.8.9-x86_64-linode164', '6.8.9', 'x86_64'),
  kernel('6.8.9-x86-linode184', '6.8.9-x86-linode184', '6.8.9', 'i386'),
  kernel('grub2', 'GRUB 2', '2.06', 'x86_64'),
  kernel('grub-legacy', 'GRUB (Legacy)', '2.0.0', 'x86_64'),
  kernel('direct-disk', 'Direct Disk', '', 'x86_64'),
];

function kernel(id: string, label: string, version: string, architecture: string): JsonObject {
  const built = '2024-05-21T12:57:02';
  return {
    id: `linode/${id}`,
    label,
    version,
    kvm: true,
    architecture,
    pvops: true,
    deprecated: false,
    built,
  };
}
