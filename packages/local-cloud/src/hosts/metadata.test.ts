import { describe, expect, it } from '@jest/globals';
import { hostSpec, publicLink, vpcLink } from './fixture.js';
import { metadataAnswers, plainText } from './metadata.js';

const spec = {
  ...hostSpec(7, [publicLink(11, '203.0.113.10'), vpcLink(12, '10.0.1.2')]),
  userData: '#cloud-config\nhostname: wéb\n',
  authorizedKeys: ['ssh-ed25519 AAAA one'],
};

describe('metadataAnswers', () => {
  it('hands user data out as base64', () => {
    const text = metadataAnswers(spec)['user-data.txt'] ?? '';
    expect(Buffer.from(text, 'base64').toString()).toBe(spec.userData);
    expect(metadataAnswers({ ...spec, userData: null })['user-data.txt']).toBe('');
  });

  it('says the same as JSON and as text', () => {
    const answers = metadataAnswers(spec);
    expect(JSON.parse(answers['instance.json'] ?? '')).toMatchObject({
      id: 7,
      label: 'host-7',
      specs: { memory: 1024 },
    });
    expect(answers['instance.txt']).toContain('id: 7\nlabel: host-7\n');
    expect(answers['ssh-keys.txt']).toBe('users.root.0: ssh-ed25519 AAAA one\n');
    expect(JSON.parse(answers['network.json'] ?? '')).toMatchObject({
      ipv4: { public: ['203.0.113.10/32'] },
    });
  });
});

describe('plainText', () => {
  it('writes one value a line under its whole path', () => {
    expect(plainText({ a: { b: [1, null] }, c: 'd' })).toBe('a.b.0: 1\na.b.1: null\nc: d\n');
  });
});
