// Events as OCSF 1.8.0 JSON (schema.ocsf.io): the canonical form. Classes: Authentication 3002, SSH Activity 4007,
// Process Activity 1007, Detection Finding 2004, Account Change 3001, Entity Management 3004, Application Error 6008.
// Profiles: host and security_control, named only where their attributes are used. Pure.
import type { EventFinding, EventTarget, GatewayEvent } from '../behaviour/events.ts';
import {
  commandStopped,
  commandWaits,
  criticalityOf,
  endedByGateway,
  type Severity,
  sentenceOf,
  severityOf,
} from './describe.ts';
import { LONGEST_LINE, plain } from './plain-text.ts';

export const OCSF_VERSION = '1.8.0';

/** Who says it. */
export interface Producer {
  /** The gateway's name. */
  readonly gateway: string;
  readonly version: string;
}

type Json = { readonly [key: string]: unknown };

const SEVERITY: Readonly<Record<Severity, readonly [number, string]>> = {
  informational: [1, 'Informational'],
  low: [2, 'Low'],
  medium: [3, 'Medium'],
  high: [4, 'High'],
  critical: [5, 'Critical'],
};

/** risk_level_id. */
const RISK: Readonly<Record<Severity, readonly [number, string]>> = {
  informational: [0, 'Info'],
  low: [1, 'Low'],
  medium: [2, 'Medium'],
  high: [3, 'High'],
  critical: [4, 'Critical'],
};

const CATEGORY = {
  1: 'System Activity',
  2: 'Findings',
  3: 'Identity & Access Management',
  4: 'Network Activity',
  6: 'Application Activity',
} as const;

interface Class {
  readonly category: keyof typeof CATEGORY;
  readonly uid: number;
  readonly name: string;
}

const AUTHENTICATION: Class = { category: 3, uid: 3002, name: 'Authentication' };
const ACCOUNT_CHANGE: Class = { category: 3, uid: 3001, name: 'Account Change' };
const ENTITY_MANAGEMENT: Class = { category: 3, uid: 3004, name: 'Entity Management' };
const SSH_ACTIVITY: Class = { category: 4, uid: 4007, name: 'SSH Activity' };
const PROCESS_ACTIVITY: Class = { category: 1, uid: 1007, name: 'Process Activity' };
const DETECTION_FINDING: Class = { category: 2, uid: 2004, name: 'Detection Finding' };
const APPLICATION_ERROR: Class = { category: 6, uid: 6008, name: 'Application Error' };

const ALLOWED = { action_id: 1, action: 'Allowed', disposition_id: 1, disposition: 'Allowed' } as const;
const OBSERVED = { action_id: 3, action: 'Observed', disposition_id: 17, disposition: 'Logged' } as const;
const BLOCKED = { action_id: 2, action: 'Denied', disposition_id: 2, disposition: 'Blocked' } as const;
const CHALLENGED = {
  action_id: 3,
  action: 'Observed',
  disposition_id: 23,
  disposition: 'Challenge',
} as const;
const SUCCESS = { status_id: 1, status: 'Success' } as const;
const FAILURE = { status_id: 2, status: 'Failure' } as const;
const NEW = { status_id: 1, status: 'New' } as const;
const IN_PROGRESS = { status_id: 2, status: 'In Progress' } as const;
const RESOLVED = { status_id: 4, status: 'Resolved' } as const;

const userOf = (person: { readonly id?: string | undefined; readonly name: string }): Json => ({
  name: plain(person.name === '' ? 'unknown' : person.name, 256),
  ...(person.id === undefined ? {} : { uid: person.id }),
  type_id: 1,
  type: 'User',
});

const accountOf = (target: EventTarget): Json => ({
  name: plain(target.credential.username, 256),
  credential_uid: target.credential.id,
  domain: plain(target.device.name, 256),
});

const sourceOf = (address: string | undefined): Json =>
  address === undefined || address === '' ? { name: 'unknown' } : { ip: plain(address, 64) };

const deviceEndpoint = ({ device }: EventTarget): Json => ({
  uid: device.id,
  name: plain(device.name, 256),
  svc_name: 'ssh',
});

const deviceOf = ({ device }: EventTarget): Json => ({
  uid: device.id,
  name: plain(device.name, 256),
  type_id: 1,
  type: 'Server',
});

const actorOf = (event: {
  readonly user: { readonly id: string; readonly name: string };
  readonly session: string;
}): Json => ({
  user: userOf(event.user),
  session: { uid: event.session, is_remote: true },
});

/** auth_type_id of SSH Activity, for the strongest method that was used. */
const authType = (authentication: string): Json => {
  if (authentication.includes('certificate')) return { auth_type_id: 1, auth_type: 'Certificate Based' };
  if (authentication.includes('publickey')) return { auth_type_id: 6, auth_type: 'Public Key' };
  if (authentication.includes('password')) return { auth_type_id: 5, auth_type: 'Password' };
  return { auth_type_id: 99, auth_type: plain(authentication === '' ? 'other' : authentication, 64) };
};

interface Observed {
  readonly dimension: string;
  readonly usual: readonly string[];
  readonly seen: string;
}

const analyses = (subject: string, reasons: readonly Observed[]): Json =>
  reasons.length === 0
    ? {}
    : {
        anomaly_analyses: [
          {
            analysis_targets: [{ name: plain(subject, 256), type: 'User' }],
            anomalies: reasons.map((reason) => ({
              observation_parameter: reason.dimension,
              observations: [{ value: plain(reason.seen, 256) }],
            })),
            baselines: reasons
              .filter((reason) => reason.usual.length > 0)
              .map((reason) => ({
                observation_parameter: reason.dimension,
                observations: reason.usual.map((value) => ({ value: plain(value, 256) })),
              })),
          },
        ],
      };

const observed = (findings: readonly EventFinding[]): readonly Observed[] =>
  findings.map(({ dimension, usual, seen }) => ({
    dimension,
    usual: usual.map(({ value }) => value),
    seen,
  }));

const risk = (severity: Severity, score: number): Json => ({
  risk_score: Math.round(score),
  risk_level_id: RISK[severity][0],
  risk_level: RISK[severity][1],
});

const gatewayService: Json = { name: 'sallyport' };

interface Shape {
  readonly of: Class;
  readonly activity: readonly [number, string];
  readonly body: Json;
  readonly profiles?: readonly string[];
}

/** What nothing else fits: something that the gateway found worth telling, as an update of a finding of its own. */
const finding = (
  activity: readonly [number, string],
  status: Json,
  info: Json,
  body: Json,
  profiles?: readonly string[],
): Shape => ({
  of: DETECTION_FINDING,
  activity,
  ...(profiles === undefined ? {} : { profiles }),
  body: { ...status, finding_info: info, ...body },
});

const CREATE = [1, 'Create'] as const;
const UPDATE = [2, 'Update'] as const;
const CLOSE = [3, 'Close'] as const;

const shapeOf = (event: GatewayEvent): Shape => {
  const severity = severityOf(event);
  switch (event.kind) {
    case 'signed-in':
    case 'sign-in-failed': {
      const right = event.kind === 'signed-in';
      return {
        of: AUTHENTICATION,
        activity: [1, 'Logon'],
        profiles: ['security_control'],
        body: {
          ...(right ? ALLOWED : BLOCKED),
          ...(right ? SUCCESS : FAILURE),
          ...(event.code === '' ? {} : { status_code: plain(event.code, 64) }),
          ...(event.detail === '' ? {} : { status_detail: plain(event.detail, 512) }),
          user: userOf(event.user ?? { name: event.name }),
          is_remote: true,
          is_mfa: event.authentication.includes('+'),
          src_endpoint: sourceOf(event.sourceAddress),
          service: gatewayService,
        },
      };
    }
    case 'session-started':
      return {
        of: SSH_ACTIVITY,
        activity: [1, 'Open'],
        profiles: ['host', 'security_control'],
        body: {
          ...ALLOWED,
          ...SUCCESS,
          ...authType(event.authentication),
          ...risk(severity, event.score),
          actor: actorOf(event),
          src_endpoint: sourceOf(event.sourceAddress),
          dst_endpoint: deviceEndpoint(event.target),
          start_time: event.at,
          policy: { uid: event.grant.id, name: plain(event.grant.name, 256), is_applied: true },
          unmapped: {
            account: plain(event.target.credential.username, 256),
            credential: plain(event.target.credential.name, 256),
            client: plain(event.clientIdentification, 256),
            via: event.via,
          },
        },
      };
    case 'session-refused':
      return {
        of: AUTHENTICATION,
        activity: [1, 'Logon'],
        profiles: ['security_control'],
        body: {
          ...BLOCKED,
          ...FAILURE,
          status_code: plain(event.code, 64),
          status_detail: plain(event.detail, 512),
          user: userOf(event.user ?? { name: event.name }),
          is_remote: true,
          src_endpoint: sourceOf(event.sourceAddress),
          service: gatewayService,
          ...(event.session === undefined ? {} : { session: { uid: event.session, is_remote: true } }),
          ...(event.wanted === '' ? {} : { dst_endpoint: { name: plain(event.wanted, 256) } }),
        },
      };
    case 'session-ended': {
      const killed = endedByGateway(event.reason);
      return {
        of: SSH_ACTIVITY,
        activity: killed ? [3, 'Reset'] : [2, 'Close'],
        profiles: ['host', 'security_control'],
        body: {
          ...(killed ? { ...BLOCKED, disposition_id: 21, disposition: 'Reset', is_alert: true } : OBSERVED),
          ...SUCCESS,
          ...risk(severity, event.score),
          status_detail: plain(event.reason, 256),
          actor: actorOf(event),
          src_endpoint: sourceOf(event.sourceAddress),
          dst_endpoint: deviceEndpoint(event.target),
          start_time: event.startedAt,
          end_time: event.at,
          duration: Math.max(0, event.at - event.startedAt),
          traffic: {
            bytes: event.bytesFromClient + event.bytesFromDevice,
            bytes_in: event.bytesFromDevice,
            bytes_out: event.bytesFromClient,
          },
        },
      };
    }
    case 'transfer':
      return {
        of: SSH_ACTIVITY,
        activity: [6, 'Traffic'],
        profiles: ['host'],
        body: {
          ...SUCCESS,
          actor: actorOf(event),
          src_endpoint: sourceOf(event.sourceAddress),
          dst_endpoint: deviceEndpoint(event.target),
          traffic: {
            bytes: event.bytesUp + event.bytesDown,
            bytes_in: event.bytesDown,
            bytes_out: event.bytesUp,
          },
          unmapped: { channel: event.channelKind, files: event.files },
        },
      };
    case 'command': {
      const stopped = commandStopped(event.outcome);
      return {
        of: PROCESS_ACTIVITY,
        activity: [1, 'Launch'],
        profiles: ['host', 'security_control'],
        body: {
          ...(stopped ? BLOCKED : commandWaits(event.outcome) ? CHALLENGED : OBSERVED),
          ...(stopped ? FAILURE : SUCCESS),
          status_detail: plain(event.outcome, 64),
          is_alert: stopped || event.outcome === 'alarm' || criticalityOf(event) === 'high',
          actor: actorOf(event),
          device: deviceOf(event.target),
          process: {
            uid: event.command,
            name: plain(event.word === '' ? 'unknown' : event.word, 256),
            ...(event.text === '' ? {} : { cmd_line: plain(event.text, LONGEST_LINE) }),
            user: accountOf(event.target),
          },
          ...(event.rules.length === 0
            ? {}
            : {
                policy: {
                  name: plain(event.rules.map(({ rule }) => rule).join(', '), 512),
                  is_applied: true,
                },
              }),
          unmapped: {
            second: event.second,
            points: event.points,
            channel: event.channelKind,
            privileged: event.privileged,
            source_address: plain(event.sourceAddress, 64),
          },
        },
      };
    }
    case 'command-settled':
      return {
        of: PROCESS_ACTIVITY,
        activity: [99, 'Settled'],
        profiles: ['host', 'security_control'],
        body: {
          ...(commandStopped(event.outcome) ? BLOCKED : OBSERVED),
          ...(commandStopped(event.outcome) ? FAILURE : SUCCESS),
          status_code: plain(event.outcome, 64),
          status_detail: plain(event.detail, 256),
          actor: actorOf(event),
          device: { name: 'unknown', type_id: 1, type: 'Server' },
          process: { uid: event.command },
        },
      };
    case 'risk-changed':
      return finding(
        event.before === 0 ? CREATE : UPDATE,
        event.before === 0 ? NEW : IN_PROGRESS,
        {
          uid: `risk-${event.session}`,
          title: event.suspicious ? 'Suspicious session' : 'Unusual session',
          desc: sentenceOf(event),
          modified_time: event.at,
          analytic: { name: 'session risk', type_id: 2, type: 'Behavioral' },
        },
        {
          is_alert: event.suspicious,
          ...risk(severity, event.after),
          ...analyses(event.user.name, observed(event.findings)),
          evidences: [{ actor: actorOf(event) }],
          unmapped: { second: event.second, submitted: event.submitted },
        },
      );
    case 'identification-required':
    case 'identification-passed':
    case 'identification-failed':
    case 'identification-timed-out': {
      const asked = event.kind === 'identification-required';
      const passed = event.kind === 'identification-passed';
      return {
        of: AUTHENTICATION,
        activity: asked ? [6, 'Preauth'] : [1, 'Logon'],
        profiles: ['security_control'],
        body: {
          ...(asked ? CHALLENGED : passed ? ALLOWED : BLOCKED),
          ...(asked ? { status_id: 99, status: 'Asked' } : passed ? SUCCESS : FAILURE),
          is_alert: !asked && !passed,
          status_code: event.kind,
          status_detail: plain(event.trigger, 64),
          user: userOf(event.user),
          is_remote: true,
          is_new_logon: false,
          service: gatewayService,
          src_endpoint: sourceOf(event.sourceAddress),
          ...(event.session === undefined ? {} : { session: { uid: event.session, is_remote: true } }),
        },
      };
    }
    case 'credential-viewed':
    case 'credential-view-refused': {
      const shown = event.kind === 'credential-viewed';
      return {
        of: ENTITY_MANAGEMENT,
        activity: [2, 'Read'],
        profiles: ['security_control'],
        body: {
          ...(shown ? ALLOWED : BLOCKED),
          ...(shown ? SUCCESS : FAILURE),
          ...(event.code === '' ? {} : { status_code: plain(event.code, 64) }),
          ...risk(severity, event.score),
          actor: { user: userOf(event.user) },
          src_endpoint: sourceOf(event.sourceAddress),
          comment: plain(event.reason, 512),
          entity: {
            uid: event.target.credential.id,
            name: plain(event.target.credential.name, 256),
            type_id: 99,
            type: 'Credential',
            device: deviceOf(event.target),
          },
          unmapped: { reasons: event.findings.map(({ dimension, points }) => ({ dimension, points })) },
        },
      };
    }
    case 'credential-changed':
      if (event.unusual) {
        return finding(
          CREATE,
          NEW,
          {
            uid: `password-change-${event.id}`,
            title: 'Unusual password change',
            desc: sentenceOf(event),
            created_time: event.at,
            analytic: { name: 'unusual password change', type_id: 1, type: 'Rule' },
          },
          {
            is_alert: true,
            ...risk(severity, 80),
            evidences: [{ user: userOf(event.user ?? { name: 'unknown' }) }],
            resources: [
              {
                uid: event.target.credential.id,
                name: plain(event.target.credential.name, 256),
                type: 'Credential',
              },
            ],
          },
        );
      }
      return {
        of: ACCOUNT_CHANGE,
        activity: event.how === 'manual' ? [3, 'Password Change'] : [4, 'Password Reset'],
        body: {
          ...(event.how === 'rotation-failed' ? FAILURE : SUCCESS),
          status_code: event.how,
          ...(event.detail === '' ? {} : { status_detail: plain(event.detail, 512) }),
          actor: event.user === undefined ? { app_name: 'Sallyport' } : { user: userOf(event.user) },
          user: accountOf(event.target),
        },
      };
    case 'rating-changed':
      return finding(
        UPDATE,
        IN_PROGRESS,
        {
          uid: `rating-${event.user.id}`,
          title: 'Rating changed',
          desc: sentenceOf(event),
          modified_time: event.at,
          analytic: { name: 'rating', type_id: 2, type: 'Behavioral' },
        },
        {
          is_alert: false,
          ...analyses(event.user.name, [
            { dimension: 'rating', usual: [String(event.before)], seen: String(event.after) },
          ]),
          evidences: [{ user: userOf(event.user) }],
        },
      );
    case 'user-disabled':
      return {
        of: ACCOUNT_CHANGE,
        activity: [5, 'Disable'],
        body: {
          ...SUCCESS,
          status_detail: plain(event.reason, 256),
          actor: { user: userOf({ name: event.by }) },
          user: userOf(event.user),
        },
      };
    case 'setting-changed':
      return {
        of: ENTITY_MANAGEMENT,
        activity: [3, 'Update'],
        body: {
          ...SUCCESS,
          actor: { user: userOf({ name: event.by }) },
          entity: { name: plain(event.key, 128), type_id: 99, type: 'Setting' },
          comment: plain(`${JSON.stringify(event.before)} → ${JSON.stringify(event.after)}`, 512),
        },
      };
    case 'finding-changed':
      return finding(
        event.change === 'created' ? CREATE : event.change === 'updated' ? UPDATE : CLOSE,
        event.change === 'created' ? NEW : event.change === 'updated' ? IN_PROGRESS : RESOLVED,
        {
          uid: event.finding,
          title: plain(event.title, 256),
          desc: plain(event.text, 1_024),
          types: [event.level],
          analytic: { name: plain(event.signal, 64), type_id: 3, type: 'Statistical' },
          related_events: event.evidence.slice(0, 100).map((uid) => ({ uid })),
        },
        {
          is_alert: event.change === 'created' && (severity === 'high' || severity === 'critical'),
          ...risk(severity, event.score),
          evidences: [{ user: userOf(event.user) }],
        },
      );
    case 'audit-changed':
      return finding(
        event.step === 'submitted' ? CREATE : event.step === 'audited' ? CLOSE : UPDATE,
        event.step === 'submitted' ? NEW : event.step === 'audited' ? RESOLVED : IN_PROGRESS,
        {
          uid: `audit-${event.entry}`,
          title: 'Audit of what was suspicious',
          desc: sentenceOf(event),
          analytic: { name: 'audit queue', type_id: 1, type: 'Rule' },
          related_events: [{ uid: event.subject.id }],
        },
        {
          is_alert: false,
          ...(event.comment === '' ? {} : { comment: plain(event.comment, 500) }),
          evidences: [{ user: userOf(event.user) }],
        },
      );
    case 'exception-changed':
      return finding(
        event.step === 'requested' ? CREATE : CLOSE,
        event.step === 'requested' ? NEW : RESOLVED,
        {
          uid: `exception-${event.request}`,
          title: 'Request for an exception',
          desc: sentenceOf(event),
          analytic: { name: event.rule === '' ? 'gate' : plain(event.rule, 200), type_id: 1, type: 'Rule' },
          related_events: [{ uid: event.command }],
        },
        {
          is_alert: false,
          comment: plain(event.text, 500),
          evidences: [{ user: userOf(event.user) }],
        },
      );
    case 'output-overflowed':
      return {
        of: APPLICATION_ERROR,
        activity: [1, 'General Error'],
        body: {
          ...FAILURE,
          status_code: event.policy,
          count: Math.max(1, event.lost),
          unmapped: { output: plain(event.output, 64), lost: event.lost },
        },
      };
    default:
      return event satisfies never;
  }
};

/** The event as an OCSF object, ready for JSON. */
export const toOcsf = (event: GatewayEvent, producer: Producer): Json => {
  const { of, activity, body, profiles } = shapeOf(event);
  const severity = SEVERITY[severityOf(event)];
  return {
    ...body,
    category_uid: of.category,
    category_name: CATEGORY[of.category],
    class_uid: of.uid,
    class_name: of.name,
    activity_id: activity[0],
    activity_name: activity[1],
    type_uid: of.uid * 100 + activity[0],
    type_name: `${of.name}: ${activity[1]}`,
    severity_id: severity[0],
    severity: severity[1],
    time: event.at,
    message: sentenceOf(event),
    metadata: {
      version: OCSF_VERSION,
      uid: event.id,
      event_code: event.kind,
      log_name: 'sallyport',
      log_provider: plain(producer.gateway, 128),
      product: { name: 'Sallyport', vendor_name: 'Sallyport', version: producer.version },
      ...(profiles === undefined ? {} : { profiles }),
    },
  };
};
