// What the API refuses, as RFC 9457 problem details with a stable code each. Turns errors of the other parts into problems;
// what it doesn't know is an internal error whose detail stays in the log.
import type { z } from 'zod';
import { RecordingError } from '../../recordings/errors.ts';
import { PolicyError } from '../audit/policies.ts';
import { CredentialError } from '../credentials/errors.ts';
import { ApplyError } from '../directory/apply.ts';
import { DirectoryError } from '../directory/errors.ts';
import { ControlError } from '../gateway/control-client.ts';
import { StoreError } from '../store/errors.ts';

const PROBLEMS = {
  SP_API_SIGN_IN: [401, 'You are not signed in'],
  SP_API_SIGN_IN_FAILED: [401, 'The sign-in failed'],
  SP_API_CODE_NEEDED: [401, 'A one-time code is needed'],
  SP_API_LOCKED: [429, 'Too many failed sign-ins'],
  SP_API_FORBIDDEN: [403, 'You may not do this'],
  SP_API_NOT_PROVEN: [403, 'This does not prove who you are'],
  SP_API_CROSS_SITE: [403, 'The request comes from another site'],
  SP_API_MALFORMED: [400, 'The request is malformed'],
  SP_API_CURSOR: [422, 'The cursor is not one of this list'],
  SP_API_UNKNOWN: [404, 'There is no such thing'],
  SP_API_METHOD: [405, 'There is no such method here'],
  SP_API_EXISTS: [409, 'It exists already'],
  SP_API_CONFLICT: [409, 'This is not possible now'],
  SP_API_CHANGED: [412, 'It has been changed meanwhile'],
  SP_API_IF_MATCH: [428, 'Say which version you mean to change (If-Match)'],
  SP_API_INVALID: [422, 'What was sent is not right'],
  SP_API_KEY_REUSED: [422, 'The idempotency key was used for another request'],
  SP_API_KEY_BUSY: [409, 'A request with this idempotency key is running'],
  SP_API_TOO_LARGE: [413, 'The request is too large'],
  SP_API_MEDIA_TYPE: [415, 'Send JSON'],
  SP_API_TOO_MANY: [429, 'Too many requests'],
  SP_API_INTERNAL: [500, 'The gateway had an internal error'],
  SP_API_UNAVAILABLE: [503, 'The gateway does not answer'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS);

/** One thing that is wrong, and where. */
export interface Fault {
  /** A path into what was sent (`body.name`), or `file:line:column`. */
  readonly where: string;
  readonly message: string;
}

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly faults?: readonly Fault[];
}

export class ApiProblem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly faults: readonly Fault[];
  /** Seconds until another try makes sense. */
  readonly retryAfter: number | undefined;

  constructor(code: ProblemCode, detail: string, faults: readonly Fault[] = [], retryAfter?: number) {
    super(detail);
    this.name = 'ApiProblem';
    this.code = code;
    this.status = PROBLEMS[code][0];
    this.faults = faults;
    this.retryAfter = retryAfter;
  }

  get body(): ProblemBody {
    return {
      type: `urn:sallyport:problem:${this.code}`,
      title: PROBLEMS[this.code][1],
      status: this.status,
      code: this.code,
      detail: this.message,
      ...(this.faults.length === 0 ? {} : { faults: this.faults }),
    };
  }
}

const MOST_FAULTS = 50;

export const malformed = (part: 'path' | 'query' | 'body', error: z.ZodError): ApiProblem =>
  new ApiProblem(
    'SP_API_MALFORMED',
    `the ${part} is not what is expected`,
    error.issues.slice(0, MOST_FAULTS).map((issue) => ({
      where: [part, ...issue.path.map(String)].join('.'),
      message: issue.message,
    })),
  );

export const unknown = (what: string): ApiProblem => new ApiProblem('SP_API_UNKNOWN', `there is no ${what}`);

const placed = (problem: { file: string; line: number; column: number; message: string }): Fault => ({
  where: `${problem.file}:${problem.line}:${problem.column}`,
  message: problem.message,
});

const ofDirectory = (error: DirectoryError): ApiProblem | undefined => {
  switch (error.code) {
    case 'SP_NOT_FOUND':
      return new ApiProblem('SP_API_UNKNOWN', error.message);
    case 'SP_EXISTS':
      return new ApiProblem('SP_API_EXISTS', error.message);
    case 'SP_INVALID':
      return new ApiProblem('SP_API_INVALID', error.message);
    case 'SP_VAULT_KEY':
    case 'SP_VAULT_OPEN':
      return undefined;
  }
};

const ofCredential = (error: CredentialError): ApiProblem => {
  switch (error.code) {
    case 'SP_VIEW_REASON':
    case 'SP_CREDENTIAL_SECRET':
      return new ApiProblem('SP_API_INVALID', error.tell);
    case 'SP_ROTATION_UNDER_WAY':
    case 'SP_ROTATION_IMPOSSIBLE':
    case 'SP_DEVICE_COMMAND':
      return new ApiProblem('SP_API_CONFLICT', error.tell);
  }
};

const ofRecording = (error: RecordingError): ApiProblem | undefined =>
  error.code === 'SP_RECORDING_MISSING' || error.code === 'SP_RECORDING_ID'
    ? unknown('recording of this session')
    : error.code === 'SP_RECORDING_LOCKED'
      ? new ApiProblem('SP_API_CONFLICT', 'this gateway holds no key that opens the recording')
      : error.code === 'SP_RECORDING_FORMAT'
        ? new ApiProblem('SP_API_CONFLICT', 'the recording is damaged: verify it')
        : undefined;

/** Undefined: not an error that a caller may be told of. */
export const problemOf = (error: unknown): ApiProblem | undefined => {
  if (error instanceof ApiProblem) return error;
  if (error instanceof ApplyError)
    return new ApiProblem(
      'SP_API_INVALID',
      error.problems[0]?.message ?? 'it is not right',
      error.problems.slice(0, MOST_FAULTS).map((problem) => ({
        where: 'body',
        message: problem.message,
      })),
    );
  if (error instanceof PolicyError)
    return new ApiProblem(
      'SP_API_INVALID',
      'the rules can’t be used',
      error.problems.slice(0, MOST_FAULTS).map(placed),
    );
  if (error instanceof DirectoryError) return ofDirectory(error);
  if (error instanceof CredentialError) return ofCredential(error);
  if (error instanceof RecordingError) return ofRecording(error);
  if (error instanceof StoreError && error.code === 'SP_STORE_CURSOR')
    return new ApiProblem('SP_API_CURSOR', error.message);
  if (error instanceof ControlError)
    return new ApiProblem('SP_API_UNAVAILABLE', 'the gateway’s control socket does not answer');
  return undefined;
};

export const INTERNAL = new ApiProblem('SP_API_INTERNAL', 'the log tells more');
