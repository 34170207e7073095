// Who may do what in the API: one table from roles to permissions, and nothing else decides. A user with several roles has
// the permissions of each; a token has those of its list that its owner still has.
import type { Role } from '../directory/users.ts';

export const PERMISSIONS = [
  /** One's own sign-in, tokens, sessions and commands. */
  'self',
  'directory.read',
  'directory.write',
  'settings.read',
  'settings.write',
  'policies.read',
  'policies.write',
  'sessions.read',
  /** What goes on in a live session. */
  'sessions.watch',
  /** Hold, release and end. */
  'sessions.order',
  'commands.read',
  /** Let a command run that waits for a second person, or refuse it. */
  'approvals.decide',
  'recordings.read',
  'ratings.read',
  'ratings.write',
  'findings.read',
  'findings.write',
  'exports.write',
  'changes.read',
  'metrics.read',
] as const;

export type Permission = (typeof PERMISSIONS)[number];

const READING: readonly Permission[] = [
  'directory.read',
  'settings.read',
  'policies.read',
  'sessions.read',
  'sessions.watch',
  'commands.read',
  'ratings.read',
  'findings.read',
  'changes.read',
  'metrics.read',
];

/** Replaying what somebody did is the auditor's, changing what they may do the administrator's. */
export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  engineer: ['self'],
  administrator: [
    'self',
    ...READING,
    'directory.write',
    'settings.write',
    'policies.write',
    'sessions.order',
    'approvals.decide',
    'ratings.write',
    'findings.write',
    'exports.write',
  ],
  auditor: ['self', ...READING, 'recordings.read', 'findings.write'],
};

export const permissionsOf = (roles: readonly string[]): ReadonlySet<Permission> => {
  const found = new Set<Permission>();
  for (const [role, permissions] of Object.entries(ROLE_PERMISSIONS))
    if (roles.includes(role)) for (const permission of permissions) found.add(permission);
  return found;
};

export const isPermission = (word: string): word is Permission =>
  PERMISSIONS.some((permission) => permission === word);
