import { stamp } from './clock.js';
import type { JsonObject } from './json.js';
import type { EntityRef, EventRecord, Linode } from './model.js';

export function linodeRef(linode: Linode): EntityRef {
  return { id: linode.id, type: 'linode', label: linode.label, url: `/v4/linode/instances/${linode.id}` };
}

export function refView(ref: EntityRef): JsonObject {
  return { label: ref.label, id: ref.id, type: ref.type, url: ref.url };
}

/** What the API shows of an event at the time `now`. */
export function eventView(event: EventRecord, username: string, now: number): JsonObject {
  return {
    id: event.id,
    created: stamp(event.created),
    seen: event.seen,
    read: event.read,
    percent_complete: percent(event, now),
    time_remaining: null,
    rate: null,
    duration: duration(event, now),
    action: event.action,
    username,
    entity: event.entity === null ? null : refView(event.entity),
    status: event.status,
    secondary_entity: event.secondary === null ? null : refView(event.secondary),
    message: event.message,
    details: {},
  };
}

/** Never says that all is done before the event is finished. */
function percent(event: EventRecord, now: number): number | null {
  if (event.status === 'notification') return null;
  if (event.status === 'scheduled') return 0;
  if (event.status !== 'started') return 100;
  const elapsed = now - (event.startedAt ?? now);
  if (event.expectedMs === 0) return 50;
  return Math.min(95, Math.floor((100 * elapsed) / event.expectedMs));
}

/** Seconds; whole ones once it is over. */
function duration(event: EventRecord, now: number): number | null {
  if (event.startedAt === null) return null;
  if (event.finishedAt !== null) return Math.round((event.finishedAt - event.startedAt) / 1000);
  return (now - event.startedAt) / 1000;
}
