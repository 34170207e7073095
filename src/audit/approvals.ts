// Commands that wait for a second person: a row in the store, decided once, by anybody but the one who asks. Whoever
// waits hears of the decision at once where messages travel, and looks now and then where they don't.
import type { ApprovalAnswer, Approvals } from '../../proxy/audit/ports.ts';
import { shown } from '../directory/shown-text.ts';
import { newId } from '../store/id.ts';
import type { ApprovalsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

/** The store's topic on which decisions travel; the payload is the approval's id. */
export const APPROVALS = 'approvals';

const PATIENCE = 5 * 60_000;
const LOOK_EVERY = 2_000;
const LONGEST_COMMAND = 16_384;

export type ApprovalState = 'waiting' | 'approved' | 'denied' | 'expired' | 'cancelled';

export const createApprovals = (store: Store, now: () => number = Date.now): Approvals => ({
  patience: PATIENCE,
  ask: async (command, rule) => {
    const id = newId();
    const askedAt = now();
    const expiresAt = askedAt + PATIENCE;
    await store.append('approvals', [
      {
        id,
        command_id: command.id,
        session_id: command.source.sessionId,
        user_name: command.source.user.name,
        device_name: command.source.device.name,
        account: command.source.credential.username,
        command: command.hidden ? '' : shown(command.command, LONGEST_COMMAND),
        rule,
        asked_at: askedAt,
        expires_at: expiresAt,
        state: 'waiting',
        decided_by: null,
        decided_at: null,
      },
    ]);
    const { promise, resolve } = Promise.withResolvers<ApprovalAnswer>();
    let done = false;
    const end = (answer: ApprovalAnswer): void => {
      if (done) return;
      done = true;
      clearInterval(timer);
      stop();
      resolve(answer);
    };
    const close = (state: ApprovalState): void => {
      void store.db
        .updateTable('approvals')
        .set({ state, decided_at: now() })
        .where('id', '=', id)
        .where('state', '=', 'waiting')
        .execute()
        .catch(() => undefined);
    };
    const look = async (): Promise<void> => {
      const row = await store.db
        .selectFrom('approvals')
        .select(['state', 'decided_by'])
        .where('id', '=', id)
        .executeTakeFirst();
      const by = row?.decided_by ?? '';
      if (row?.state === 'approved') end({ kind: 'approved', by });
      else if (row?.state === 'denied') end({ kind: 'denied', by });
      else if (row === undefined || row.state !== 'waiting') end({ kind: 'expired' });
      else if (now() >= expiresAt) {
        close('expired');
        end({ kind: 'expired' });
      }
    };
    const looking = (): void => {
      // A store that can't be asked for a moment is asked again; past its time the answer is no.
      look().catch(() => {
        if (now() >= expiresAt) end({ kind: 'expired' });
      });
    };
    const stop = store.listen(APPROVALS, (message) => {
      if (message.kind === 'gap' || message.payload === id) looking();
    });
    const timer = setInterval(looking, LOOK_EVERY);
    timer.unref();
    return {
      id,
      answer: promise,
      cancel: () => {
        if (!done) close('cancelled');
        end({ kind: 'expired' });
      },
    };
  },
});

/** Those that wait, newest first. */
export const waitingApprovals = (store: Store, now: number): Promise<readonly ApprovalsTable[]> =>
  store.db
    .selectFrom('approvals')
    .selectAll()
    .where('state', '=', 'waiting')
    .where('expires_at', '>', now)
    .orderBy('asked_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1_000)
    .execute();

/** Names are compared as people read them: a second account of the same name in other letters is no second person. */
export const folded = (name: string): string => name.normalize('NFKC').trim().toLowerCase();

/** Whether the one who decides is the one who asks, by whatever name or session. */
const isOwn = async (
  store: Store,
  approval: ApprovalsTable,
  {
    userName,
    userId,
    alsoKnownAs = [],
  }: {
    readonly userName: string;
    readonly userId?: string | undefined;
    readonly alsoKnownAs?: readonly string[];
  },
): Promise<boolean> => {
  const asker = folded(approval.user_name);
  if ([userName, ...alsoKnownAs].some((name) => folded(name) === asker)) return true;
  if (userId === undefined) return false;
  // A user who was renamed meanwhile is still the same one.
  const command = await store.db
    .selectFrom('commands')
    .select('user_id')
    .where('id', '=', approval.command_id)
    .executeTakeFirst();
  return command?.user_id === userId;
};

export type ApprovalDecision =
  | { readonly kind: 'decided'; readonly approval: ApprovalsTable }
  | { readonly kind: 'unknown' }
  /** More than one waits by this name. */
  | { readonly kind: 'ambiguous' }
  | { readonly kind: 'own' };

/** `id` is an approval's, or that of a session with one command waiting; the beginning of either is enough. */
export const decideApproval = async (
  store: Store,
  id: string,
  decision: {
    readonly approve: boolean;
    readonly by: string;
    readonly userName: string;
    /** Of the user in the directory, where it is known. */
    readonly userId?: string | undefined;
    /** Whom else the same person goes by: the one who used sudo, or who signed in to the machine. */
    readonly alsoKnownAs?: readonly string[];
    readonly at: number;
  },
): Promise<ApprovalDecision> => {
  const found = (await waitingApprovals(store, decision.at)).filter(
    (row) => row.id.startsWith(id) || row.session_id.startsWith(id),
  );
  const [approval] = found;
  if (approval === undefined || id === '') return { kind: 'unknown' };
  if (found.length > 1) return { kind: 'ambiguous' };
  if (await isOwn(store, approval, decision)) return { kind: 'own' };
  const result = await store.db
    .updateTable('approvals')
    .set({
      state: decision.approve ? 'approved' : 'denied',
      decided_by: decision.by,
      decided_at: decision.at,
    })
    .where('id', '=', approval.id)
    .where('state', '=', 'waiting')
    .where('expires_at', '>', decision.at)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1 ? { kind: 'decided', approval } : { kind: 'unknown' };
};
