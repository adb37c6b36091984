/** What a new host is told at its first boot. It holds a private key: it never enters a plan, a log or an error. */
export interface FirstBoot {
  readonly hostname: string;
  /** Line that lets the user of the workflow in. */
  readonly authorizedKey: string;
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
}

/**
 * The cloud-config of a host, as base64: the user `deploy` with sudo and one key, no password for anybody, no login as
 * root, and exactly the host key that was made for it, so that its first connection can be verified.
 */
export function userData(boot: FirstBoot): string {
  return Buffer.from(cloudConfig(boot)).toString('base64');
}

function cloudConfig({ hostname, authorizedKey, hostKey }: FirstBoot): string {
  const block = hostKey.privateKey
    .trim()
    .split('\n')
    .map((line) => `    ${line}`);
  return [
    '#cloud-config',
    `hostname: ${hostname}`,
    'preserve_hostname: false',
    'users:',
    '  - name: deploy',
    '    shell: /bin/bash',
    '    lock_passwd: true',
    '    sudo: "ALL=(ALL) NOPASSWD:ALL"',
    '    ssh_authorized_keys:',
    // JSON's strings are YAML's: whatever a comment of the key holds stays a string.
    `      - ${JSON.stringify(authorizedKey.trim())}`,
    'disable_root: true',
    'ssh_pwauth: false',
    'ssh_deletekeys: true',
    'ssh_keys:',
    '  ed25519_private: |',
    ...block,
    `  ed25519_public: ${JSON.stringify(hostKey.publicKey.trim())}`,
    '',
  ].join('\n');
}
