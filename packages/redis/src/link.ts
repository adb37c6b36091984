/** What a Redis says of its replication (`INFO replication`): `true` when nothing is left to wait for. */
export function linkState(info: string): true | string {
  const values = new Map(
    info.split('\n').map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trim()] as const;
    }),
  );
  const role = values.get('role');
  if (role === undefined) return info.trim().split('\n').at(-1) || 'no answer';
  if (role === 'master' || values.get('master_link_status') === 'up') return true;
  const primary = values.get('master_host') ?? '';
  const total = Number(values.get('master_sync_total_bytes') ?? 0);
  const read = Number(values.get('master_sync_read_bytes') ?? 0);
  if (values.get('master_sync_in_progress') !== '1') return `no link to ${primary} yet`;
  return total > 0
    ? `copies from ${primary}: ${Math.floor((read / total) * 100)} %`
    : `copies from ${primary}`;
}
