// Watches every session of this process: judges it before its device is dialled, follows its risk while it runs, takes
// what happens into ratings, and acts at once where the settings say so: ends it, disables its user, or holds all of the
// user's sessions until they have proven who they are. How sessions are held and asked in is proxy/identification's.
import type { AuditedCommand, CommandOutcome, UserLock } from '../../proxy/audit/ports.ts';
import type { IdentificationRequest, SessionControl } from '../../proxy/identification/ports.ts';
import type {
  OversightVerdict,
  SessionEnd,
  SessionOversight,
  SessionRegister,
  SessionStart,
} from '../../proxy/server/ports.ts';
import { WARM_UP } from '../behaviour/command-sequence.ts';
import type { EventUser, NewEvent } from '../behaviour/events.ts';
import { explain, tellUnusual } from '../behaviour/explain.ts';
import type { RatingEvent } from '../behaviour/rating.ts';
import type { PastSession } from '../behaviour/session-counts.ts';
import { dayOf } from '../behaviour/session-history.ts';
import { measureStart } from '../behaviour/session-measure.ts';
import type { Risk } from '../behaviour/session-risk.ts';
import { type EventLog, forgetEvents } from '../events/event-log.ts';
import type { ReauthenticationsTable, SessionRisksTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { CommandHabits } from './command-habits.ts';
import {
  becauseOf,
  type DemandDecision,
  type DemandParts,
  decideDemand,
  demandForTyping,
  IDENTIFICATION,
  takeFacts,
} from './demands.ts';
import type { Identifier } from './identifier.ts';
import type { LiveSettings } from './live-settings.ts';
import { privilegeOf, wordsOf } from './privilege.ts';
import { learnSession, PeerGroups, readHabits } from './profiles.ts';
import { type RatingFacts, waitingReauthentications } from './ratings.ts';
import type { Standing } from './risk-records.ts';
import type { SecurityKeyProof } from './security-key.ts';
import { type MovedBy, WatchedSession } from './watched-session.ts';

export interface OversightLog {
  info(event: string, fields: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields: Readonly<Record<string, unknown>>): void;
  error(event: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface OversightParts {
  readonly store: Store;
  readonly events: EventLog;
  readonly settings: LiveSettings;
  readonly habits: CommandHabits;
  readonly identifier: Identifier;
  /** Absent: a touch of a security key is no proof here. */
  readonly securityKeys?: SecurityKeyProof;
  readonly userLock: UserLock;
  readonly log: OversightLog;
  /** Notes something in the recording of a session. */
  readonly mark: (
    session: string,
    channel: number,
    kind: string,
    data: Readonly<Record<string, unknown>>,
  ) => void;
  readonly now: () => number;
}

/** How often it is looked how long sessions last and how much they have moved. Milliseconds. */
const LOOK_EVERY = 1_000;
/** Looks between two in which it is looked whether a message was missed, and after which old events leave. */
const COMPARE_EVERY = 5;
const FORGET_EVERY = 3_600;
/** Milliseconds: 400 days. */
const EVENTS_KEPT = 400 * 86_400_000;
const MOST_WAITING = 10_000;
const MOST_ACTIVE = 10_000;
const ROOTS = /^(?:root|administrator|admin|toor|sa|postgres|enable)$/i;
/** Commands of a session whose outcome is still to come. */
const MOST_ASKED = 256;

export class Oversight implements SessionOversight, AsyncDisposable {
  readonly #parts: OversightParts;
  readonly #peers: PeerGroups;
  readonly #sessions = new Map<string, WatchedSession>();
  /** Sign-ins that are being taken in, by user: a session waits for what its sign-in has proven. */
  readonly #signingIn = new Map<string, Promise<void>>();
  /** The day on which it was last noted that a user works. */
  readonly #activeOn = new Map<string, number>();
  #looks = 0;
  readonly #timer: NodeJS.Timeout;
  readonly #stops: (() => void)[];

  constructor(parts: OversightParts) {
    this.#parts = parts;
    this.#peers = new PeerGroups(parts.store);
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    this.#timer.unref();
    this.#stops = [
      parts.settings.onChange(() => {
        for (const session of this.#sessions.values()) {
          session.live.settings(parts.settings.current.risk);
          this.#weigh(session);
        }
      }),
      parts.store.listen(IDENTIFICATION, (message) => {
        if (message.kind === 'message') this.#heard(message.payload);
        else for (const user of this.#users()) void this.#lookForDemands(user);
      }),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const stop of this.#stops) stop();
    await Promise.all([...this.#sessions.values()].map((session) => session.idle));
    await this.#parts.habits[Symbol.asyncDispose]();
    this.#parts.settings[Symbol.dispose]();
  }

  // ---- a session's start

  async begin(start: SessionStart, control: SessionControl): Promise<OversightVerdict> {
    const { store, settings, now } = this.#parts;
    const current = settings.current;
    await this.#signingIn.get(start.user.id);
    const window = { now: start.startedAt, historyDays: current.historyDays, timeZone: current.timeZone };
    const [group, habits, waiting] = await Promise.all([
      this.#groupOf(start.user.id),
      readHabits(store, start.user.id, window),
      waitingReauthentications(store, start.user.id),
    ]);
    const peers = await this.#peers.of(group, window);
    const measured = measureStart(
      {
        startedAt: start.startedAt,
        target: start.target.device.name,
        origin: start.sourceAddress,
        credential: start.target.credential.name,
      },
      habits,
      peers,
    );
    const session = new WatchedSession(start, control, { measured, habits, settings: current, peers: group });
    if (ROOTS.test(start.target.credential.username)) session.live.privileged(start.target.credential.name);
    const { risk } = session.live;
    const [demand] = waiting;
    if (demand !== undefined) {
      await this.#note(session, 'refused');
      return {
        kind: 'refuse',
        code: 'identification-required',
        detail: `${demand.trigger_name} since ${new Date(demand.asked_at).toISOString()}`,
        tell: await this.#tellToIdentify(start.user, demand),
      };
    }
    if (risk.action !== undefined) {
      session.action = risk.action;
      const suspicious = risk.score >= current.minimumSuspiciousScore;
      if (suspicious) session.suspiciousAt = now();
      session.submitted = suspicious && current.submitHighRiskToAudit;
      await this.#note(session, 'refused');
      if (suspicious) await this.#suspicious(session, risk);
      if (risk.action === 'blockSessionAndUser') await this.#disable(session, risk);
      return {
        kind: 'refuse',
        code: 'unusual-session',
        detail: risk.findings.map(explain).join('; '),
        tell: `This session was not opened. ${tellUnusual(risk.findings, current.contact)}`,
      };
    }
    await Promise.all([
      this.#note(session, 'open'),
      this.#parts.events.append([
        {
          kind: 'session-started',
          session: start.id,
          user: start.user,
          target: session.target,
          grant: { id: start.target.grant.id, name: start.target.grant.name },
          sourceAddress: start.sourceAddress,
          authentication: start.authentication,
          clientIdentification: start.clientIdentification,
          via: start.via,
          score: risk.score,
          findings: risk.findings,
        },
      ]),
    ]);
    this.#sessions.set(start.id, session);
    void this.#follow(session);
    return { kind: 'go' };
  }

  /** What need not be known before the device is dialled. */
  async #follow(session: WatchedSession): Promise<void> {
    this.#active(session);
    this.#weigh(session);
    try {
      const { profile, others } = await this.#parts.habits.of(session.user.id);
      if (profile.commands < WARM_UP || !this.#sessions.has(session.id)) return;
      session.live.compareWith(profile, others);
      this.#weigh(session);
    } catch (error) {
      this.#failed('behaviour.habit-not-read', session.id, error);
    }
  }

  /** Once a day is enough to know that somebody worked. */
  #active(session: WatchedSession): void {
    const at = this.#parts.now();
    const today = dayOf(at);
    if (this.#activeOn.get(session.user.id) === today) return;
    if (this.#activeOn.size >= MOST_ACTIVE) this.#activeOn.clear();
    this.#activeOn.set(session.user.id, today);
    this.#facts(session, { at, active: true });
  }

  async #groupOf(userId: string): Promise<string> {
    const row = await this.#parts.store.db
      .selectFrom('users')
      .select('department')
      .where('id', '=', userId)
      .executeTakeFirst();
    return row?.department === null || row === undefined ? 'everybody' : `department:${row.department}`;
  }

  // ---- while it runs

  /** A channel was opened on it. */
  used(id: string): void {
    const session = this.#sessions.get(id);
    if (session !== undefined) session.used = true;
  }

  /** Bytes passed through a channel that is no terminal. */
  moved(id: string, by: MovedBy, up: number, down: number): void {
    const moved = this.#sessions.get(id)?.of(by);
    if (moved === undefined) return;
    moved.bytesUp += up;
    moved.bytesDown += down;
  }

  /** A command stands in the log; it may be let through after this. */
  command(entry: AuditedCommand): void {
    const session = this.#sessions.get(entry.source.sessionId);
    if (session === undefined) return;
    session.channel = entry.source.channel;
    const rules = entry.rules.filter((rule) => !rule.shadow);
    const shell = entry.channelKind === 'shell' || entry.channelKind === 'exec';
    if (entry.channelKind === 'sftp' || entry.channelKind === 'scp') {
      if (FILE_WORDS.has(entry.word)) session.of(entry.channelKind).files += 1;
    }
    session.live.command({
      points: entry.points,
      words: shell && !entry.hidden ? wordsOf(entry) : [],
      privilege: shell ? privilegeOf(entry) : undefined,
    });
    const blocked = entry.outcome === 'blocked' || entry.outcome === 'interrupted' ? 1 : 0;
    session.blockedCommands += blocked;
    if (entry.outcome === 'asked' && rules.length > 0 && session.asked.size < MOST_ASKED)
      session.asked.add(entry.id);
    const ran = rules.length > 0 && entry.outcome === 'ran' ? this.#ran(session) : 0;
    if (blocked + ran > 0)
      this.#facts(session, { at: entry.at, blockedCommands: blocked, highRiskSessions: ran });
    this.#weigh(session, entry.at);
  }

  /** What became of a command that somebody was asked about. */
  settled(id: string, outcome: CommandOutcome): void {
    for (const session of this.#sessions.values()) {
      if (!session.asked.delete(id)) continue;
      const ran = outcome === 'ran' ? this.#ran(session) : 0;
      const blocked = outcome === 'interrupted' || outcome === 'blocked' ? 1 : 0;
      session.blockedCommands += blocked;
      if (ran + blocked > 0)
        this.#facts(session, { at: this.#parts.now(), highRiskSessions: ran, blockedCommands: blocked });
      return;
    }
  }

  /** Of whom a command is, for events about it. */
  userOf(id: string): { readonly user: EventUser; readonly session: string } | undefined {
    for (const session of this.#sessions.values())
      if (session.asked.has(id)) return { user: session.user, session: session.id };
    return undefined;
  }

  /** An audited command ran: 1 when it is the session's first. */
  #ran(session: WatchedSession): number {
    session.auditedCommands += 1;
    return session.auditedCommands === 1 ? 1 : 0;
  }

  #look(): void {
    const now = this.#parts.now();
    this.#looks += 1;
    if (this.#looks % COMPARE_EVERY === 0)
      this.#compareDemands().catch((error: unknown) => this.#failed('identification.not-read', '', error));
    if (this.#looks % FORGET_EVERY === 0)
      forgetEvents(this.#parts.store, now - EVENTS_KEPT).catch((error: unknown) =>
        this.#failed('events.not-forgotten', '', error),
      );
    for (const session of this.#sessions.values()) {
      session.live.progress(session.bytes, Math.max(0, (now - session.start.startedAt) / 1000));
      this.#weigh(session);
    }
  }

  /** Takes what the session has come to into account, at once, when it is more or less than was told. */
  #weigh(session: WatchedSession, at = this.#parts.now()): void {
    const { risk } = session.live;
    const before = session.told;
    const { minimumSuspiciousScore, submitHighRiskToAudit, commandActions } = this.#parts.settings.current;
    const becomes = risk.score >= minimumSuspiciousScore && session.suspiciousAt === undefined;
    const same = risk.score === before.score && risk.findings.length === before.findings.length;
    const acts = risk.action !== undefined && session.action === '';
    const { typing } = session.live;
    const submits = commandActions.submitToAudit && typing === 'very-unusual' && !session.submitted;
    const asks = commandActions.reauthenticate && typing !== 'usual' && !session.askedForTyping;
    if (same && !becomes && !acts && !submits && !asks) return;
    session.told = risk;
    if (becomes) session.suspiciousAt = at;
    if (submits || (becomes && submitHighRiskToAudit)) session.submitted = true;
    const second = session.second(at);
    this.#parts.mark(session.id, session.channel, 'risk', {
      before: before.score,
      after: risk.score,
      suspicious: session.suspiciousAt !== undefined,
      findings: risk.findings.map(explain),
      commandPoints: risk.commandPoints,
    });
    const event: NewEvent = {
      kind: 'risk-changed',
      session: session.id,
      user: session.user,
      at,
      second,
      before: before.score,
      after: risk.score,
      suspicious: session.suspiciousAt !== undefined,
      submitted: session.submitted,
      findings: risk.findings,
    };
    if (acts) this.#act(session, risk);
    void session.queue(
      async () => {
        await Promise.all([this.#note(session, 'open'), this.#parts.events.append([event])]);
        if (session.suspiciousAt !== undefined) await this.#suspicious(session, risk, second);
      },
      (error) => this.#failed('behaviour.risk-not-noted', session.id, error),
    );
    if (asks) this.#askForTyping(session, risk);
  }

  /** Commands are unlike the user's habit: nobody is refused for that, but asked who they are. */
  #askForTyping(session: WatchedSession, risk: Risk): void {
    session.askedForTyping = true;
    const reason = risk.findings.filter(({ dimension }) => dimension === 'commands').map(explain);
    void session.queue(
      async () => {
        const typed = { session: session.id, reason: reason.join('; ') };
        await demandForTyping(this.#demandParts, session.user, typed);
        await this.#lookForDemands(session.user.id);
        this.#parts.log.warn('identification.required', {
          user: session.user.name,
          trigger: 'unusualCommands',
          detail: typed.reason,
        });
      },
      (error) => this.#failed('behaviour.facts-not-recorded', session.id, error),
    );
  }

  /** An unusual dimension for which the settings have an action: now, not at the end. */
  #act(session: WatchedSession, risk: Risk): void {
    const { action } = risk;
    if (action === undefined) return;
    session.action = action;
    this.#parts.log.warn('behaviour.session-blocked', {
      session: session.id,
      user: session.user.name,
      action,
      findings: risk.findings.map(explain),
    });
    const { contact } = this.#parts.settings.current;
    session.control.end('unusual-session', `This session ends. ${tellUnusual(risk.findings, contact)}`);
    if (action === 'blockSessionAndUser')
      void this.#disable(session, risk).catch((error: unknown) =>
        this.#failed('behaviour.user-not-disabled', session.id, error),
      );
  }

  async #disable({ id, user }: WatchedSession, risk: Risk): Promise<void> {
    const reason = `by behaviour: ${risk.findings.map(({ dimension }) => dimension).join(', ')} unusual`;
    // Those in other processes are told less: that access was withdrawn.
    const tell = `Your access has been withdrawn, for another session of yours. ${tellUnusual(risk.findings, this.#parts.settings.current.contact)}`;
    for (const other of this.#sessions.values())
      if (other.user.id === user.id && other.id !== id) other.control.end('user-disabled', tell);
    await this.#parts.userLock.disable(user.name, reason);
    await this.#parts.events.append([{ kind: 'user-disabled', user, by: 'gateway', reason }]);
  }

  /** The rating loses what the session's risk has come to, as far as it has not yet. */
  async #suspicious(session: WatchedSession, risk: Risk, second?: number): Promise<void> {
    if (risk.score <= session.counted) return;
    const event: RatingEvent = {
      kind: 'suspicious-session',
      id: `${session.id}:${risk.score}`,
      at: this.#parts.now(),
      score: risk.score,
      ...(session.counted > 0 ? { counted: session.counted } : {}),
      evidence: { session: session.id, second },
    };
    session.counted = risk.score;
    await this.#record(session.user, { at: event.at, events: [event], session: session.id });
  }

  // ---- its end

  /** To be called once, after the session's row in the register is closed or about to be. */
  async ended(id: string, end: SessionEnd): Promise<void> {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    session.live.progress(session.bytes, Math.max(0, (end.endedAt - session.start.startedAt) / 1000));
    this.#weigh(session, end.endedAt);
    this.#sessions.delete(id);
    await session.queue(
      async () => {
        const standing = this.#standing(session);
        await Promise.all([
          this.#note(session, standing, end.endedAt),
          this.#parts.events.append(this.#endEvents(session, end)),
        ]);
        if (standing === 'learnt' || standing === 'identified') await this.#learn(session, end);
      },
      (error) => this.#failed('behaviour.session-not-learnt', id, error),
    );
  }

  #standing(session: WatchedSession): Standing {
    if (!session.used) return 'void';
    if (session.suspiciousAt === undefined) return 'learnt';
    return session.identified ? 'identified' : 'suspicious';
  }

  #endEvents(session: WatchedSession, end: SessionEnd): readonly NewEvent[] {
    const about = {
      session: session.id,
      user: session.user,
      target: session.target,
      sourceAddress: session.start.sourceAddress,
    } as const;
    return [
      ...[...session.moved].map(
        ([channelKind, moved]): NewEvent => ({ kind: 'transfer', ...about, channelKind, ...moved }),
      ),
      {
        kind: 'session-ended',
        ...about,
        startedAt: session.start.startedAt,
        reason: end.reason,
        bytesFromClient: end.bytesFromClient,
        bytesFromDevice: end.bytesFromDevice,
        score: session.live.risk.score,
        suspicious: session.suspiciousAt !== undefined,
      },
    ];
  }

  async #learn(session: WatchedSession, end: SessionEnd): Promise<void> {
    const { store, settings, habits, now } = this.#parts;
    const { historyDays, timeZone } = settings.current;
    await learnSession(
      store,
      { userId: session.user.id, peers: session.peers },
      pastOf(session, end.endedAt),
      { now: now(), historyDays, timeZone },
    );
    await habits.learn(session.user.id, session.live.words);
  }

  // ---- what happens outside of sessions

  /** An attempt to open a session, or to see a credential, outside the times of the grant. */
  async prohibited(userName: string, what: 'session' | 'view'): Promise<void> {
    const user = await findByName(this.#parts.store, userName);
    if (user === undefined) return;
    const at = this.#parts.now();
    await this.#record(user, what === 'session' ? { at, sessionAttempts: 1 } : { at, viewAttempts: 1 });
  }

  /** Somebody has signed in: when that proved what a demand asks for, the demand is met. Never rejects. */
  signedIn(user: EventUser, authentication: string, sourceAddress: string): Promise<void> {
    const before = this.#signingIn.get(user.id) ?? Promise.resolve();
    const work = before
      .then(() => this.#signedIn(user, authentication, sourceAddress))
      .catch((error: unknown) => this.#failed('behaviour.sign-in-not-noted', user.name, error));
    this.#signingIn.set(user.id, work);
    void work.then(() => {
      if (this.#signingIn.get(user.id) === work) this.#signingIn.delete(user.id);
    });
    return work;
  }

  async #signedIn(user: EventUser, authentication: string, sourceAddress: string): Promise<void> {
    await this.#parts.events.append([
      { kind: 'signed-in', user, name: user.name, sourceAddress, authentication, code: '', detail: '' },
    ]);
    const waiting = await waitingReauthentications(this.#parts.store, user.id);
    if (waiting.length === 0) return;
    const questions = await this.#parts.identifier.questions(user.name);
    const proven = new Set(authentication.split('+'));
    if (questions.length === 0 || !questions.every(({ name }) => proven.has(name))) return;
    await this.#decide(user, {
      outcome: 'passed',
      in: 'sign-in',
      method: authentication,
      session: undefined,
      sourceAddress,
    });
  }

  // ---- ratings and demands

  #facts(session: WatchedSession, facts: RatingFacts): void {
    void session.queue(
      () => this.#record(session.user, { ...facts, session: session.id }),
      (error) => this.#failed('behaviour.facts-not-recorded', session.id, error),
    );
  }

  async #record(user: EventUser, facts: RatingFacts): Promise<void> {
    const { asked } = await takeFacts(this.#demandParts, user, facts);
    if (asked === undefined) return;
    // Here at once; elsewhere when they hear of it.
    void this.#lookForDemands(user.id);
    this.#parts.log.warn('identification.required', {
      user: user.name,
      trigger: asked.trigger_name,
      detail: asked.detail,
    });
  }

  get #demandParts(): DemandParts {
    const { store, events, settings, now } = this.#parts;
    return { store, events, settings: settings.current, now };
  }

  async #decide(user: EventUser, decision: Omit<DemandDecision, 'second'>): Promise<void> {
    const session = decision.session === undefined ? undefined : this.#sessions.get(decision.session);
    const second = session?.second(this.#parts.now());
    const decided = await decideDemand(this.#demandParts, user, { ...decision, second });
    if (decided) this.#parts.log.info('identification.decided', { user: user.name, ...decision });
  }

  #users(): ReadonlySet<string> {
    return new Set([...this.#sessions.values()].map(({ user }) => user.id));
  }

  #heard(payload: string): void {
    const { kind, user } = readNotice(payload);
    const theirs = [...this.#sessions.values()].filter((session) => session.user.id === user);
    if (theirs.length === 0) return;
    switch (kind) {
      case 'required':
        void this.#lookForDemands(user);
        return;
      case 'passed':
      case 'waived':
        for (const session of theirs) {
          if (kind === 'passed') session.proven();
          this.#goOn(session, kind);
        }
        return;
      case 'failed':
      case 'timed-out':
        for (const session of theirs) this.#endUnproven(session, kind);
        return;
      case 'other':
        return;
    }
  }

  #goOn(session: WatchedSession, outcome: string): void {
    if (session.demand === undefined) return;
    session.demand = undefined;
    this.#parts.mark(session.id, session.channel, 'identification', { outcome });
    session.control.identified();
  }

  #endUnproven(session: WatchedSession, outcome: string): void {
    this.#parts.mark(session.id, session.channel, 'identification', { outcome });
    session.control.end(
      'identification-failed',
      outcome === 'timed-out'
        ? 'Nobody has proven in time who is there, so this session ends.'
        : 'You could not be identified, so this session ends.',
    );
  }

  /** What was told may have been missed: what waits is looked at now and then. */
  async #compareDemands(): Promise<void> {
    if (this.#sessions.size === 0) return;
    const before = [...this.#sessions.values()].filter(({ demand }) => demand !== undefined);
    const rows = await this.#parts.store.db
      .selectFrom('reauthentications')
      .select(['id', 'user_id'])
      .where('outcome', '=', 'waiting')
      .orderBy('asked_at')
      .limit(MOST_WAITING)
      .execute();
    const waiting = new Map(rows.toReversed().map((row) => [row.user_id, row.id]));
    for (const session of before) {
      const now = waiting.get(session.user.id);
      if (session.demand === undefined || now === session.demand) continue;
      // A failed one is followed by another.
      if (now === undefined) this.#goOn(session, 'decided');
      else this.#endUnproven(session, 'failed');
    }
    const asked = [...this.#sessions.values()].filter(
      ({ demand, user }) => demand === undefined && waiting.has(user.id),
    );
    for (const user of new Set(asked.map((session) => session.user.id))) await this.#lookForDemands(user);
  }

  async #lookForDemands(userId: string): Promise<void> {
    try {
      const [demand] = await waitingReauthentications(this.#parts.store, userId);
      if (demand === undefined) return;
      for (const session of this.#sessions.values()) {
        if (session.user.id !== userId) continue;
        if (session.demand === demand.id) continue;
        session.demand = demand.id;
        this.#parts.mark(session.id, session.channel, 'identification', {
          outcome: 'required',
          trigger: demand.trigger_name,
        });
        session.control.identify(this.#request(session, demand));
      }
    } catch (error) {
      this.#failed('identification.not-read', userId, error);
    }
  }

  #request(session: WatchedSession, demand: ReauthenticationsTable): IdentificationRequest {
    const { identifier, securityKeys, settings } = this.#parts;
    const { patience, tries } = settings.current.identification;
    const { user } = session;
    return {
      id: demand.id,
      because: becauseOf(demand),
      contact: settings.current.contact,
      patience,
      tries,
      questions: () => identifier.questions(user.name),
      check: (answers) => identifier.check(user.name, session.start.sourceAddress, answers),
      ...(securityKeys === undefined
        ? {}
        : {
            touch: {
              possible: () => securityKeys.possible(user.name),
              prove: (agent) => {
                const { sourceAddress } = session.start;
                const asked = { user: user.name, sourceAddress, demand: demand.id, session: session.id };
                return securityKeys.prove(asked, agent);
              },
            },
          }),
      decided: (outcome, method) => {
        this.#decide(user, {
          demand: demand.id,
          outcome,
          in: session.id,
          method: method === '' ? undefined : method,
          session: session.id,
          sourceAddress: session.start.sourceAddress,
        }).catch((error: unknown) => {
          this.#failed('identification.not-decided', session.id, error);
          // Nobody knows that it was proven: the session must not go on as if it were.
          session.control.end(
            'identification-failed',
            'What you proved could not be written down, so this session ends.',
          );
        });
      },
    };
  }

  async #tellToIdentify(user: EventUser, demand: ReauthenticationsTable): Promise<string> {
    const questions = await this.#parts.identifier.questions(user.name);
    const { contact } = this.#parts.settings.current;
    return questions.length === 0
      ? `You have to prove who you are (${becauseOf(demand)}), and your account has neither a password nor one-time codes. Ask ${contact}.`
      : `You have to prove who you are (${becauseOf(demand)}): sign in again, and you are asked for it.`;
  }

  // ---- the session's row

  async #note(session: WatchedSession, standing: Standing, endedAt?: number): Promise<void> {
    const { risk } = session.live;
    const { start } = session;
    const changed = {
      ended_at: endedAt ?? null,
      score: risk.score,
      command_points: risk.commandPoints,
      audited_commands: session.auditedCommands,
      blocked_commands: session.blockedCommands,
      suspicious_at: session.suspiciousAt ?? null,
      standing,
      submitted: session.submitted ? 1 : 0,
      action: session.action,
      measured_json: JSON.stringify(session.live.measurements),
      findings_json: JSON.stringify(risk.findings),
      activity_json: JSON.stringify({
        moved: Object.fromEntries(session.moved),
        privilege: session.live.privilege,
        commands: session.live.words.length,
      }),
      updated_at: this.#parts.now(),
    };
    const row: SessionRisksTable = {
      session_id: session.id,
      user_id: session.user.id,
      user_name: session.user.name,
      device_name: start.target.device.name,
      credential_name: start.target.credential.name,
      source_address: start.sourceAddress,
      started_at: start.startedAt,
      history_sessions: risk.sessions,
      ...changed,
    };
    await this.#parts.store.db
      .insertInto('session_risks')
      .values(row)
      .onConflict((conflict) => conflict.column('session_id').doUpdateSet(changed))
      .execute();
  }

  #failed(event: string, about: string, error: unknown): void {
    this.#parts.log.error(event, { about, error: error instanceof Error ? error.message : String(error) });
  }
}

/** Words of file operations that move a file's content or take one away. */
const FILE_WORDS: ReadonlySet<string> = new Set(['put', 'get', 'remove', 'rename', 'write', 'read', 'open']);

const pastOf = (session: WatchedSession, endedAt: number): PastSession => ({
  startedAt: session.start.startedAt,
  target: session.start.target.device.name,
  origin: session.start.sourceAddress,
  credential: session.start.target.credential.name,
  duration: Math.max(0, (endedAt - session.start.startedAt) / 1000),
  bytes: session.bytes,
  privileged: session.live.privilege !== undefined,
});

const NOTICES = ['required', 'passed', 'waived', 'failed', 'timed-out'] as const;
type NoticeKind = (typeof NOTICES)[number] | 'other';

const readNotice = (payload: string): { readonly kind: NoticeKind; readonly user: string } => {
  try {
    const value: unknown = JSON.parse(payload);
    if (typeof value === 'object' && value !== null && 'kind' in value && 'user' in value) {
      const kind = NOTICES.find((one) => one === value.kind);
      if (kind !== undefined && typeof value.user === 'string') return { kind, user: value.user };
    }
  } catch {
    // Told below: it is nothing that this release knows.
  }
  return { kind: 'other', user: '' };
};

/** The register, with the oversight told of what it has to know of ends and refusals. */
export const overseenRegister = (
  register: SessionRegister,
  oversight: Oversight,
  { store, events, log }: Pick<OversightParts, 'store' | 'events' | 'log'>,
): SessionRegister => {
  /** The register has it already: what follows may fail, and is told of. */
  const aside = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.error('behaviour.refusal-not-noted', {
        error: error instanceof Error ? error.message : String(error),
      });
    }
  };
  return {
    newId: () => register.newId(),
    open: (start) => register.open(start),
    close: async (id, end) => {
      await register.close(id, end);
      await oversight.ended(id, end);
    },
    refused: async (event) => {
      await register.refused(event);
      await aside(async () => {
        const user = await findByName(store, event.user);
        const { sourceAddress, code, detail } = event;
        const about = { user, name: event.user, sourceAddress, code, detail };
        await events.append([
          event.wanted === 'sign-in'
            ? { kind: 'sign-in-failed', ...about, authentication: '' }
            : { kind: 'session-refused', ...about, session: undefined, wanted: event.wanted },
        ]);
      });
      if (event.code === 'prohibited-time') await aside(() => oversight.prohibited(event.user, 'session'));
    },
  };
};

const findByName = (store: Store, name: string): Promise<EventUser | undefined> =>
  store.db
    .selectFrom('users')
    .select(['id', 'name'])
    .where('name', '=', name.toWellFormed().replaceAll('\0', '\ufffd'))
    .executeTakeFirst();

/** Disabling users, with each an event. */
export const overseenUserLock = (
  lock: UserLock,
  { store, events }: Pick<OversightParts, 'store' | 'events'>,
): UserLock => ({
  disable: async (userName, reason) => {
    await lock.disable(userName, reason);
    const user = await findByName(store, userName);
    if (user !== undefined) await events.append([{ kind: 'user-disabled', user, by: 'policy', reason }]);
  },
});
