import { describe, expect, it } from '@jest/globals';
import { type ProbeInputs, probesFrom } from './probes.js';

const inputs = (more: Partial<ProbeInputs>): ProbeInputs => ({
  urls: [],
  tcp: [],
  status: '200',
  contains: undefined,
  headers: [],
  latency: 500,
  ...more,
});

describe('probesFrom', () => {
  it('makes an HTTP probe of every URL, with everything that is asked of its answer', () => {
    const [probe] = probesFrom(
      inputs({
        urls: ['https://a.example/x'],
        status: '200, 204',
        contains: 'ok',
        headers: ['Authorization: Basic x:y'],
      }),
    );
    expect(probe).toEqual({
      kind: 'http',
      url: 'https://a.example/x',
      status: [200, 204],
      body: 'ok',
      headers: { Authorization: 'Basic x:y' },
      latencyMs: 500,
    });
  });

  it.each([
    ['a.example:5432', 'a.example', 5432],
    ['[2001:db8::1]:22', '2001:db8::1', 22],
  ])('reads %s', (text, address, port) => {
    expect(probesFrom(inputs({ tcp: [text] }))).toEqual([{ kind: 'tcp', address, port, latencyMs: 500 }]);
  });

  it.each([
    ['nothing at all', {}, 'Nothing to probe'],
    ['a URL of another kind', { urls: ['ftp://a.example'] }, 'Input "urls": "ftp://a.example" is no URL'],
    ['a port out of range', { tcp: ['a:70000'] }, 'Input "tcp": "a:70000" is not of the form host:port'],
    [
      'a header without a name',
      { urls: ['http://a'], headers: ['s3cret'] },
      'Input "headers": line 1 is not',
    ],
  ])('refuses %s', (_what, more, message) => {
    expect(() => probesFrom(inputs(more))).toThrow(message);
  });

  it('never quotes a header', () => {
    expect(() => probesFrom(inputs({ urls: ['http://a'], headers: ['s3cret'] }))).not.toThrow('s3cret');
  });
});
