// What the auditors' queue refuses. Messages name auditors and entries, nothing of what is in a session.

export type AuditQueueErrorCode =
  /** No such entry, or not one of this auditor's: both say the same. */
  | 'SP_AUDIT_UNKNOWN'
  /** Nobody audits what they did themselves. */
  | 'SP_AUDIT_OWN'
  /** Empty, or longer than 500 characters. */
  | 'SP_AUDIT_COMMENT'
  /** It is audited already, or open already. */
  | 'SP_AUDIT_STATE'
  /** There is no enabled user of that name with the role auditor. */
  | 'SP_AUDIT_NO_AUDITOR';

export class AuditQueueError extends Error {
  override readonly name = 'AuditQueueError';
  readonly code: AuditQueueErrorCode;
  /** What the auditor may be told. */
  readonly tell: string;

  constructor(code: AuditQueueErrorCode, message: string) {
    super(message);
    this.code = code;
    this.tell = message;
  }
}
