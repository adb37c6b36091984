import type { Rollout } from './peer.js';

export const ROLLOUT: Rollout = {
  ...{ artifact: "/tmp/it's.tar.gz", keepReleases: 3, upstreamFile: '/etc/nginx/conf.d/shop.conf' },
  ...{ psgi: 'app.psgi', runAs: 'shop' },
  ...{ user: 'deploy', keyFile: '/tmp/key', proxyCommand: 'ssh -W %h:%p deploy@203.0.113.1' },
  web: { name: 'web-1', address: '203.0.113.1', port: 2222, upstream: '' },
  app: [
    { name: 'app-1', address: '10.10.1.2', port: 22, upstream: '10.10.1.2:5000' },
    { name: 'app-2', address: '10.10.1.3', port: 22, upstream: '10.10.1.3:5000' },
  ],
};
