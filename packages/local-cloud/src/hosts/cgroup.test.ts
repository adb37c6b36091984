import { describe, expect, it } from '@jest/globals';
import { cgroupLayout, cgroupOf } from './cgroup.js';

describe('cgroupLayout', () => {
  it('knows a machine with cgroup v2 alone', () => {
    const layout = cgroupLayout('proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n');
    expect(layout).toEqual({ unified: '/sys/fs/cgroup', memoryV1: null, pure: true });
  });

  it('takes the memory controller from v1 where both are mounted', () => {
    const layout = cgroupLayout(
      [
        'tmpfs /sys/fs/cgroup tmpfs rw 0 0',
        'cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0',
        'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0',
        'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
      ].join('\n'),
    );
    expect(layout).toEqual({
      unified: '/sys/fs/cgroup/unified',
      memoryV1: '/sys/fs/cgroup/memory',
      pure: false,
    });
    expect(cgroupOf(layout, 'cloud', 'host')).toEqual({
      unified: '/sys/fs/cgroup/unified/cloud/host',
      memoryV1: '/sys/fs/cgroup/memory/cloud/host',
    });
  });

  it('says so when there is no cgroup v2', () => {
    expect(() => cgroupLayout('cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n')).toThrow(/cgroup2/);
  });
});
