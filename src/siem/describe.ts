// What every format says of an event: how severe it is, one sentence for people, and whom it is about. Pure. Text from
// users and devices goes through `plain` before it gets into a sentence.
import type { EventUser, GatewayEvent } from '../behaviour/events.ts';
import { LONGEST_LINE, plain } from './plain-text.ts';

export type Severity = 'informational' | 'low' | 'medium' | 'high' | 'critical';

/** Outcomes of a command that did not reach the device. */
const STOPPED: ReadonlySet<string> = new Set(['blocked', 'interrupted', 'refused', 'declined', 'cancelled']);

export const commandStopped = (outcome: string): boolean => STOPPED.has(outcome);
export const commandWaits = (outcome: string): boolean => outcome === 'asked';

const CRITICALITIES = ['low', 'medium', 'high'] as const;

/** The highest among the rules that it met. */
export const criticalityOf = (event: {
  readonly rules: readonly { readonly criticality: string }[];
}): (typeof CRITICALITIES)[number] | undefined =>
  CRITICALITIES.findLast((word) => event.rules.some((rule) => rule.criticality === word));

/** Beginnings of the register's reasons that mean that the gateway put an end to it, for what was done or is not allowed. */
const ENDED_BY_GATEWAY =
  /^(ended-by-|interrupted-|unusual-|identification-|access-|user-disabled|grant-time|too-many|blocked|suspicious|alarm)/;

export const endedByGateway = (reason: string): boolean => ENDED_BY_GATEWAY.test(reason);

export const severityOf = (event: GatewayEvent): Severity => {
  switch (event.kind) {
    case 'signed-in':
    case 'setting-changed':
    case 'command-settled':
    case 'transfer':
      return 'informational';
    case 'sign-in-failed':
    case 'session-refused':
      return 'low';
    case 'session-started':
      return event.score > 0 ? 'low' : 'informational';
    case 'session-ended':
      return event.suspicious ? 'medium' : endedByGateway(event.reason) ? 'low' : 'informational';
    case 'command':
      return criticalityOf(event) ?? (commandStopped(event.outcome) ? 'medium' : 'informational');
    case 'risk-changed':
      return event.suspicious ? 'high' : 'low';
    case 'identification-required':
    case 'identification-passed':
      return 'low';
    case 'identification-failed':
    case 'identification-timed-out':
      return 'high';
    case 'credential-viewed':
      return event.score > 0 ? 'medium' : 'low';
    case 'credential-view-refused':
      return 'medium';
    case 'credential-changed':
      return event.unusual || event.how === 'rotation-failed' ? 'high' : 'low';
    case 'rating-changed':
      return event.after < event.before ? 'low' : 'informational';
    case 'user-disabled':
      return 'medium';
    case 'finding-changed':
      return event.severity;
    case 'audit-changed':
    case 'exception-changed':
      return 'informational';
    case 'output-overflowed':
      return 'critical';
    default:
      return event satisfies never;
  }
};

const on = (event: {
  readonly user: EventUser;
  readonly target: {
    readonly device: { readonly name: string };
    readonly credential: { readonly username: string };
  };
}): string => `${event.user.name} as ${event.target.credential.username} on ${event.target.device.name}`;

const ruleNamed = (rule: string): string => (rule === '' ? 'what stopped a command' : `the rule ${rule}`);

const sentence = (event: GatewayEvent): string => {
  switch (event.kind) {
    case 'signed-in':
      return `${event.name} signed in from ${event.sourceAddress}`;
    case 'sign-in-failed':
      return `${event.name} failed to sign in from ${event.sourceAddress}: ${event.detail}`;
    case 'session-started':
      return `session opened: ${on(event)} from ${event.sourceAddress}`;
    case 'session-refused':
      return `session refused to ${event.name}${event.wanted === '' ? '' : ` for ${event.wanted}`}: ${event.detail}`;
    case 'session-ended':
      return `session ended: ${on(event)}: ${event.reason}`;
    case 'command':
      return `${event.outcome}: ${event.text === '' ? '(typed without echo)' : event.text} (${on(event)})`;
    case 'command-settled':
      return `command of ${event.user.name} ${event.outcome}: ${event.detail}`;
    case 'transfer':
      return `${on(event)} moved ${event.bytesUp} bytes up and ${event.bytesDown} bytes down by ${event.channelKind}`;
    case 'risk-changed':
      return `risk of a session of ${event.user.name} went from ${event.before} to ${event.after}`;
    case 'identification-required':
    case 'identification-passed':
    case 'identification-failed':
    case 'identification-timed-out':
      return `re-authentication of ${event.user.name} ${event.kind.slice('identification-'.length)}: ${event.trigger}`;
    case 'credential-viewed':
      return `${event.user.name} looked at the credential ${event.target.credential.name}: ${event.reason}`;
    case 'credential-view-refused':
      return `${event.user.name} was refused a look at the credential ${event.target.credential.name}: ${event.code}`;
    case 'credential-changed':
      return event.unusual
        ? `${event.user?.name ?? 'somebody'} changed the credential ${event.target.credential.name} by hand, which the gateway had just rotated`
        : `credential ${event.target.credential.name} ${event.how}${event.user === undefined ? '' : ` by ${event.user.name}`}${event.detail === '' ? '' : `: ${event.detail}`}`;
    case 'rating-changed':
      return `rating of ${event.user.name} went from ${event.before} to ${event.after}: ${event.cause}`;
    case 'user-disabled':
      return `user ${event.user.name} disabled by ${event.by}: ${event.reason}`;
    case 'setting-changed':
      return `setting ${event.key} changed by ${event.by}`;
    case 'finding-changed':
      return `${event.title}, ${event.change} (an indicator to look into, not proof)`;
    case 'audit-changed':
      return `${event.subject.kind} of ${event.user.name} ${event.step}${event.auditor === '' ? '' : ` by ${event.auditor}`}`;
    case 'exception-changed':
      return event.step === 'requested'
        ? `${event.user.name} asked for an exception from ${ruleNamed(event.rule)} on ${event.device}: ${event.text}`
        : `request of ${event.user.name} for an exception from ${ruleNamed(event.rule)} on ${event.device} ${event.step} by ${event.by}: ${event.text}`;
    case 'output-overflowed':
      return `the queue of the output ${event.output} was full: ${event.lost} events were given up`;
    default:
      return event satisfies never;
  }
};

/** One line for people, safe to show. */
export const sentenceOf = (event: GatewayEvent): string => plain(sentence(event), LONGEST_LINE);

/** Whom it is about. A name that a client gave and nobody has stands without an id. */
export const personOf = (
  event: GatewayEvent,
): { readonly id: string | undefined; readonly name: string } | undefined => {
  switch (event.kind) {
    case 'signed-in':
    case 'sign-in-failed':
    case 'session-refused':
      return event.user ?? { id: undefined, name: event.name };
    case 'setting-changed':
      return { id: undefined, name: event.by };
    case 'output-overflowed':
      return undefined;
    case 'credential-changed':
      return event.user;
    default:
      return event.user;
  }
};

export const sourceOf = (event: GatewayEvent): string =>
  'sourceAddress' in event ? (event.sourceAddress ?? '') : '';

export const targetOf = (
  event: GatewayEvent,
): Extract<GatewayEvent, { readonly kind: 'command' }>['target'] | undefined =>
  'target' in event ? event.target : undefined;

export const sessionOf = (event: GatewayEvent): string | undefined =>
  'session' in event ? event.session : undefined;
