// Notes in the log of changes who looked at, cut or deleted what was recorded. Durable before it resolves; what can't be
// noted is not done by whoever calls this. It holds names and reasons, nothing that was recorded.
import { newId } from '../store/id.ts';
import type { Store } from '../store/store.ts';

export type RecordingAccess = 'watched' | 'redacted' | 'deleted' | 'held' | 'released';

export const noteRecordingAccess = async (
  store: Store,
  action: RecordingAccess,
  session: string,
  actor: string,
  about: Readonly<Record<string, string | number>>,
): Promise<void> => {
  await store.db
    .insertInto('changes')
    .values({
      id: newId(),
      at: Date.now(),
      actor,
      action,
      kind: action === 'watched' ? 'session' : 'recording',
      name: session,
      before_json: null,
      after_json: JSON.stringify(about),
    })
    .execute();
};
